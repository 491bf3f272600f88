"""Keys: made, revoked and rotated. Each in the session of whoever asks, which commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.scopes import Principal, Scope, implied, scopes_of
from paperdesk.audit.trail import Action, Line, note
from paperdesk.errors import Forbidden, InvalidRequest, InvalidState, NotFound
from paperdesk.models import ApiKey, UserProfile
from paperdesk.users.credentials import Credential, new_credential

GRACE: Final = timedelta(days=1)
"""How long a key that was rotated still opens, if nothing else is said."""

_NO_KEY: Final = "There is no such key."


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made, and its credential: the only time that it is there to be shown."""

    row: ApiKey
    credential: Credential


def keys_of(principal: Principal) -> Select[ApiKey]:
    """Return the query for the keys that somebody may see: of his account, if he has but one."""
    query = select(ApiKey)
    if principal.account_id is not None:
        query = query.where(ApiKey.user_id == principal.account_id)
    return query


async def find_key(session: AsyncSession, principal: Principal, key: str) -> ApiKey:
    """Return a key by its id, or by the key id that it begins with. Raises NotFound."""
    query = keys_of(principal).where((ApiKey.id == key) | (ApiKey.key_id == key))
    found = await session.scalar(query.with_for_update())
    if found is None:
        raise NotFound(_NO_KEY)
    return found


async def make_key(
    session: AsyncSession,
    principal: Principal,
    *,
    name: str,
    scopes: Iterable[Scope],
    account_id: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> MadeKey:
    """Make a key. Of somebody with one account it is for that account, and may not do more than he.

    Raises NotFound where there is no such account, Forbidden for scopes that he has not, and
    InvalidRequest for a key that would have expired already.
    """
    wanted = set(scopes)
    _check_scopes(principal, wanted)
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at: must be in the future.")
    own = principal.account_id
    if own is not None and account_id not in {None, own}:
        raise NotFound("There is no such account.")
    account = own or account_id
    if account is not None and await session.get(UserProfile, account) is None:
        raise NotFound("There is no such account.")
    made = await _add(session, name, wanted, account, expires_at, now)
    note(session, _line(Action.key_made, "made", made.row), now)
    return made


async def revoke_key(
    session: AsyncSession, principal: Principal, key: str, now: datetime
) -> ApiKey:
    """Revoke a key for ever; one that was revoked stays so. Raises NotFound."""
    row = await find_key(session, principal, key)
    if row.revoked_at is None:
        row.revoked_at = now
        note(session, _line(Action.key_revoked, "revoked", row), now)
    return row


async def rotate_key(
    session: AsyncSession,
    principal: Principal,
    key: str,
    now: datetime,
    grace: timedelta = GRACE,
) -> MadeKey:
    """Make a key that may do the same, and have the old one expire after the grace.

    The new one expires when the old one would have. Raises NotFound, InvalidState for a key that
    no longer opens, and Forbidden for one that may do more than who asks.
    """
    old = await find_key(session, principal, key)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise InvalidState("This key was revoked or has expired. Make a new one instead.")
    scopes = set(scopes_of(old.scopes))
    _check_scopes(principal, scopes)
    made = await _add(session, old.name, scopes, old.user_id, old.expires_at, now)
    until = now + grace
    old.expires_at = min(until, old.expires_at or until)
    note(session, _line(Action.key_rotated, "rotated", made.row, instead_of=old), now)
    return made


def _check_scopes(principal: Principal, wanted: Iterable[Scope]) -> None:
    if missing := sorted(implied(wanted) - principal.scopes):
        raise Forbidden(f"A key may not make one with more scopes than its own: {missing[0]}.")


async def _add(
    session: AsyncSession,
    name: str,
    scopes: set[Scope],
    account_id: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> MadeKey:
    credential = new_credential()
    row = ApiKey(
        name=name,
        key_id=credential.key_id,
        secret_hash=credential.secret_hash,
        scopes=[scope.value for scope in scopes_of(scopes)],
        user_id=account_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    return MadeKey(row, credential)


def _line(action: Action, done: str, row: ApiKey, *, instead_of: ApiKey | None = None) -> Line:
    before = None
    if instead_of is not None:
        before = {"id": instead_of.id, "expires_at": instead_of.expires_at}
    after = {"name": row.name, "scopes": row.scopes, "expires_at": row.expires_at}
    return Line(action, f"Key {row.key_id} {done}.", row.user_id, row.id, before, after)
