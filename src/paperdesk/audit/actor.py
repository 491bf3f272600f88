"""Who acts: set at each door of the desk, read wherever a line of the audit trail is written."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ActorKind(StrEnum):
    """Through which door somebody came."""

    local = "local"
    """Anybody on the machine, while no key was ever made."""
    key = "key"
    webhook = "webhook"
    chat = "chat"
    job = "job"
    command_line = "command_line"
    """A command that works on the database itself, without a desk."""
    system = "system"
    """The desk, of its own accord: matching, margin calls, expiry."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who changes something. `id` is that of the key, webhook or job; never a secret."""

    kind: ActorKind
    id: str | None = None
    name: str | None = None


SYSTEM: Final = Actor(ActorKind.system)

acting: Final[ContextVar[Actor]] = ContextVar("acting", default=SYSTEM)
"""Who acts in the present task."""

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that the present task answers."""
