"""The bodies of the routes of keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, Field

from paperdesk.api.codec import Answer, Ask, Label, Moment
from paperdesk.api.ids import IdIn
from paperdesk.api.pages import on_the_calendar
from paperdesk.api.scopes import Scope, scopes_of
from paperdesk.models import ApiKey
from paperdesk.users.keys import GRACE, MadeKey

_LONGEST_GRACE = 30 * 24 * 3600

_Id = Annotated[str, Field(description="The key's id", examples=["0192f2a4-5e0c-7cc1-a1b2-c3d4e5"])]
_Name = Annotated[str, Field(examples=["momentum bot"])]
_KeyId = Annotated[str, Field(description="What the key begins with", examples=["4fZ0aK2mQx"])]
_AccountId = Annotated[
    str | None, Field(description="The only account that it acts on; null: any", examples=[None])
]


class KeyRequest(Ask):
    """A key to make."""

    name: Annotated[Label, Field(examples=["momentum bot"])]
    scopes: Annotated[
        list[Scope],
        Field(
            min_length=1, max_length=len(Scope), description="What it may do", examples=[["trade"]]
        ),
    ]
    account_id: Annotated[
        IdIn | None,
        Field(description="The only account that it may act on; any if left out"),
    ] = None
    expires_at: Annotated[
        Annotated[AwareDatetime, AfterValidator(on_the_calendar)] | None,
        Field(description="When it stops opening; never if left out"),
    ] = None


class RotateRequest(Ask):
    """How a key is rotated."""

    grace_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=_LONGEST_GRACE,
            description="Seconds for which the old key still opens; 0: it ends at once",
            examples=[3600],
        ),
    ] = int(GRACE.total_seconds())

    @property
    def grace(self) -> timedelta:
        """The same as a span of time."""
        return timedelta(seconds=self.grace_seconds)


class KeyAnswer(Answer):
    """A key, without its secret."""

    id: _Id
    name: _Name
    scopes: list[Scope]
    account_id: _AccountId
    key_id: _KeyId
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Annotated[Moment | None, Field(description="To about a minute")]

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        """Return a row as an answer."""
        return cls(
            id=row.id,
            name=row.name,
            scopes=scopes_of(row.scopes),
            account_id=row.user_id,
            key_id=row.key_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )


class MadeKeyAnswer(Answer):
    """A key that was made. Its secret is shown this once."""

    id: _Id
    name: _Name
    scopes: list[Scope]
    account_id: _AccountId
    key_id: _KeyId
    key: Annotated[
        str,
        Field(
            repr=False, description="The whole key, for `Authorization: Bearer`; shown this once"
        ),
    ]
    alpaca_key_id: Annotated[str, Field(description="The same key for clients of Alpaca: its id")]
    alpaca_secret_key: Annotated[
        str, Field(repr=False, description="And its secret; shown this once")
    ]
    created_at: Moment
    expires_at: Moment | None
    notice: Annotated[
        str | None, Field(description="What else changed: the first key closes an open desk")
    ]

    @classmethod
    def of(cls, made: MadeKey, notice: str | None = None) -> Self:
        """Return a key that was made as an answer."""
        row, credential = made.row, made.credential
        return cls(
            id=row.id,
            name=row.name,
            scopes=scopes_of(row.scopes),
            account_id=row.user_id,
            key_id=row.key_id,
            key=credential.key,
            alpaca_key_id=credential.key_id,
            alpaca_secret_key=credential.secret,
            created_at=row.created_at,
            expires_at=row.expires_at,
            notice=notice,
        )


def closing_notice(scopes: Sequence[Scope]) -> str:
    """Return what to tell whoever closes an open desk by making its first key."""
    text = "The desk was open until now. From now on every request needs a key."
    if Scope.admin not in scopes:
        text += (
            " This one cannot make others: make one with the scope admin with `paperdesk key "
            "create` on the desk's machine."
        )
    return text
