"""`paperdesk reopen`: take changes again after a proof failed. The operator decides."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final

import httpx2
import msgspec
from cyclopts import Parameter

from paperdesk.audit.actor import Actor, ActorKind, acting
from paperdesk.bootstrap import open_database
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import Remote
from paperdesk.cli.output import say, show_json
from paperdesk.cli.verify import show_problems
from paperdesk.clock import SystemClock
from paperdesk.db.inspection import is_empty
from paperdesk.ledger.proof.keeper import Keeper
from paperdesk.ledger.proof.proving import Problem
from paperdesk.ledger.proof.schemas import ReopenAnswer, proof_fields
from paperdesk.ledger.proof.standing import Standing
from paperdesk.settings import Settings, sqlite_path

_PATIENCE: Final = httpx2.Timeout(600.0, connect=5.0)
"""How long a running desk may take to prove its books."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Decision(Remote):
    """What the operator decides, and how to speak with the desk."""

    accept: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Take the books as they stand for the truth."
        ),
    ] = False


class _Problem(msgspec.Struct):
    account: str | None
    sequence: int | None
    what: str


class _Answer(msgspec.Struct):
    problems: list[_Problem]
    read_only: str | None = None


_PLAIN: Final = Decision()


def reopen(*, decision: Decision = _PLAIN) -> int:
    """Prove the books anew and take changes again. Exit 1 when the desk stays read-only."""
    text = _decided(decision)
    answer = msgspec.json.decode(text, type=_Answer)
    if decision.json:
        show_json(text)
        return Exit.REFUSED if answer.read_only else Exit.OK
    if answer.problems:
        show_problems([Problem(p.account, p.sequence, p.what) for p in answer.problems])
        say("")
    if answer.read_only:
        say(f"{answer.read_only} Mend the books, restore a backup, or take them as they stand:")
        say("  paperdesk reopen --accept")
        return Exit.REFUSED
    say("The desk takes changes." if answer.problems else "The books are proven. The desk is open.")
    return Exit.OK


def _decided(decision: Decision) -> bytes:
    """Return the answer of the running desk, or of its database where none runs."""
    try:
        # Not told to print JSON: where no desk answers, that is not yet the outcome.
        with Desk(Remote(account=decision.account), timeout=_PATIENCE) as desk:
            return desk.post("/api/reopen", {"accept": decision.accept}).text
    except CommandFailed as failure:
        settings = Settings.load()
        path = sqlite_path(settings.database_url)
        if failure.exit_code is not Exit.NO_DESK or (path and is_empty(path)):
            if decision.json and failure.problem:
                show_json(failure.problem)
            raise
    return asyncio.run(_decided_here(settings, accept=decision.accept))


async def _decided_here(settings: Settings, *, accept: bool) -> bytes:
    clock = SystemClock()
    database = await open_database(settings.database_url, clock)
    # Not before: a database that is new is seeded by the desk itself.
    acting.set(Actor(ActorKind.command_line))
    try:
        standing = Standing(database, clock)
        keeper = Keeper(database, clock, standing, settings.timezone)
        fields = proof_fields(await keeper.reopen(accept=accept))
        answer = ReopenAnswer.model_validate(fields | {"read_only": await standing.reason()})
        return answer.model_dump_json().encode()
    finally:
        await database.close()
