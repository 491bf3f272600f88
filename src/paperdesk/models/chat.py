"""Chat: what a person and the assistant said to each other about an account."""

from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, JsonType, Prose, enum_column
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import ChatRole


class ChatMessage(Base):
    """One message.

    `actions` is what the assistant did with it (trades, watchlist changes), as JSON; NULL for the
    user's messages.
    """

    __tablename__ = "chat_messages"
    __table_args__ = (Index(None, "user_id", "created_at"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    role: Mapped[ChatRole] = mapped_column(enum_column(ChatRole))
    content: Mapped[Prose]
    actions: Mapped[Any | None] = mapped_column(JsonType)
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
