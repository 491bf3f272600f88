"""Facts about the desk itself."""

from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.db.base import Base
from paperdesk.db.types import Name, Prose


class DeskMeta(Base):
    """A named fact, such as that the first data was seeded."""

    __tablename__ = "desk_meta"

    key: Mapped[Name] = mapped_column(primary_key=True)
    value: Mapped[Prose]
