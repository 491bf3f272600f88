"""What a request may do: the scopes of keys, and the one check of them, which every route makes.

A route says which scope it needs (see `slice_router`); whoever let the request in says which ones
it has.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from paperdesk.errors import Forbidden, Unauthenticated

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Those that change nothing."""


class Scope(StrEnum):
    """What a key may do."""

    read = "read"
    """See everything of its account."""
    trade = "trade"
    """Also place and cancel orders, and change watchlists."""
    webhook = "webhook"
    """Also manage webhooks and signals."""
    admin = "admin"
    """Everything: accounts, cash, keys, the audit trail."""


_ALSO: Final = {
    Scope.read: frozenset({Scope.read}),
    Scope.trade: frozenset({Scope.read, Scope.trade}),
    Scope.webhook: frozenset({Scope.read, Scope.webhook}),
    Scope.admin: frozenset(Scope),
}

ASK_FOR_A_KEY: Final = (
    "This desk asks for an API key, and none that is valid came with the request. Send one as "
    "Authorization: Bearer pd_…; `paperdesk key create` on the desk's machine makes one."
)
"""What everybody is told who may not come in, whatever the reason."""


def implied(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return these scopes and all that they imply; what is no scope counts for nothing."""
    return frozenset[Scope]().union(*(_ALSO[scope] for scope in scopes_of(scopes)))


def scopes_of(stored: Iterable[str]) -> list[Scope]:
    """Return the scopes of a key as it is stored; what is no scope is left out."""
    return [scope for scope in Scope if scope in frozenset(stored)]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and what it may do.

    `scopes` has the implied ones too. `account_id` is the one account that it may act on, None for
    any; `key` is the id of the key's row and `key_id` the public part of the key, None without one.
    """

    scopes: frozenset[Scope]
    account_id: str | None = None
    key: str | None = None
    key_id: str | None = None
    name: str | None = None


ANYBODY: Final = Principal(frozenset(Scope))
"""Whoever asks an open desk."""

_NAME: Final = "principal"


def let_in(scope: MutableMapping[str, Any], principal: Principal) -> None:
    """Note in a request's ASGI scope who makes it."""
    scope.setdefault("state", {})[_NAME] = principal


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return who makes a request. Raises Unauthenticated where nobody looked."""
    principal = scope.get("state", {}).get(_NAME)
    if principal is None:
        raise Unauthenticated(ASK_FOR_A_KEY)
    return principal


def check_scope(scope: Mapping[str, Any], needed: Scope | None) -> None:
    """Raise Forbidden, naming the scope, unless the request may do what needs it. None: anybody."""
    if needed is not None and needed not in principal_of(scope).scopes:
        raise Forbidden(f"This needs a key with the scope {needed}, which this key has not.")


def check_whole_desk(scope: Mapping[str, Any]) -> None:
    """Raise Forbidden for a key that acts on one account: this is about more than that one."""
    if principal_of(scope).account_id is not None:
        raise Forbidden(
            "This is about more than one account. It needs a key that is not limited to one."
        )
