"""`paperdesk replay`: book a file of trades at their own times, each exactly once."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TextIO

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from paperdesk.audit.actor import Actor, ActorKind, acting
from paperdesk.bootstrap import open_database
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import say, show_value
from paperdesk.clock import SystemClock
from paperdesk.errors import Busy, InvalidRequest, UnknownOutcome
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.proof.standing import Standing
from paperdesk.ledger.replay.past_trades import RowReader
from paperdesk.ledger.replay.running import Summary, Watch, sentence
from paperdesk.ledger.replay.running import replay as replay_rows
from paperdesk.ledger.replay.trade_file import Rejects, TradeFile
from paperdesk.models import DEFAULT_ACCOUNT
from paperdesk.settings import Settings

_AGAIN: Final = "Replay the file again: what is booked is left out."
_BUFFER: Final = 1024 * 1024
_COLLECT_AFTER: Final = 100_000
"""Objects after which Python looks for circles among them. A stretch of rows has no circles, and
looking for them after each few hundred rows would be for nothing."""


def replay(
    file: Annotated[
        str,
        Parameter(allow_leading_hyphen=True, help="CSV or JSON lines; `-` is standard input."),
    ],
    /,
    *,
    account: Annotated[
        str, Parameter(help="The account of rows that name none.")
    ] = DEFAULT_ACCOUNT,
    batch: Annotated[
        str, Parameter(help="A name under which the same rows are other trades.")
    ] = "",
    skip_bad: Annotated[
        Path | None,
        Parameter(help="Write rows that cannot be booked to this file, and go on."),
    ] = None,
    options: Shown = SHOWN,
) -> int:
    """Book a file of trades at their own times and prices, each exactly once."""
    settings = Settings.load()
    gc.set_threshold(_COLLECT_AFTER)
    with ExitStack() as stack:
        source = _open(file, stack)
        if skip_bad is not None and skip_bad.exists() and _is(skip_bad, source):
            raise CommandFailed("--skip-bad must name another file than FILE.", Exit.USAGE)
        trades = _read(source, RowReader(account, batch, SystemClock().now()))
        rejects = Rejects(_writable(skip_bad, stack), trades) if skip_bad else None
        with _progress(trades, _size(source)) as watch:
            summary, seconds = asyncio.run(_replay(settings.database_url, trades, watch, rejects))
    if options.json:
        show_value(_plain(summary, seconds))
    else:
        _tell(summary, seconds, skip_bad)
    if stopped := summary.stopped:
        raise CommandFailed(
            f"Stopped at line {stopped.line}: {sentence(stopped)} - correct it and replay the file "
            "again (what is booked is left out), or add --skip-bad FILE.",
            Exit.REFUSED,
        )
    return Exit.REFUSED if summary.rejected else Exit.OK


async def _replay(
    url: str, trades: TradeFile, watch: Watch, rejects: Rejects | None
) -> tuple[Summary, float]:
    """Return what was done, and in how many seconds."""
    clock = SystemClock()
    database = await open_database(url, clock)
    # Not before: a database that is new is seeded by the desk itself.
    acting.set(Actor(ActorKind.command_line))
    ledger = Ledger(database, check=Standing(database, clock).check, clock=clock)
    began = time.monotonic()
    try:
        summary = await replay_rows(ledger, trades, watch, rejects)
    except (Busy, UnknownOutcome) as error:
        raise CommandFailed(f"{error} {_AGAIN}", Exit.REFUSED) from error
    finally:
        await ledger.close()
        await database.close()
    return summary, time.monotonic() - began


def _tell(summary: Summary, seconds: float, skip_bad: Path | None) -> None:
    rate = f" ({summary.booked / seconds:,.0f} a second)" if summary.booked else ""
    say(f"Booked {summary.booked:,} trades in {seconds:,.1f} s{rate}.")
    if summary.known:
        say(f"{summary.known:,} had been booked before.")
    if summary.rejected:
        say(f"{summary.rejected:,} could not be booked; {skip_bad} has them, with the reasons.")


def _plain(summary: Summary, seconds: float) -> dict[str, Any]:
    stopped = summary.stopped
    return {
        "booked": summary.booked,
        "booked_before": summary.known,
        "rejected": summary.rejected,
        "stopped_at": stopped and stopped._asdict(),
        "seconds": round(seconds, 3),
    }


def _open(file: str, stack: ExitStack) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        # With a small buffer, the lock of the interpreter would change hands at each piece.
        return stack.enter_context(Path(file).open("rb", buffering=_BUFFER))
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.", Exit.USAGE) from error


def _read(source: BinaryIO, reader: RowReader) -> TradeFile:
    try:
        return TradeFile(source, reader)
    except InvalidRequest as error:
        raise CommandFailed(str(error), Exit.USAGE) from error
    except OSError as error:
        raise CommandFailed(f"The file cannot be read: {error.strerror}.", Exit.USAGE) from error


def _writable(path: Path, stack: ExitStack) -> TextIO:
    try:
        # What was not UTF-8 goes out as it came in.
        opened = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.", Exit.USAGE) from error
    return stack.enter_context(opened)


def _is(path: Path, source: BinaryIO) -> bool:
    return os.path.samestat(path.stat(), os.fstat(source.fileno()))


def _size(source: BinaryIO) -> int | None:
    """Return how many bytes a file has; a pipe does not know."""
    return os.fstat(source.fileno()).st_size or None


@contextmanager
def _progress(trades: TradeFile, size: int | None) -> Generator[Watch]:
    """Show how far the replay is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    bar = Progress(
        TextColumn("Trades"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=size, said="")
        began = time.monotonic()

        def watch(summary: Summary) -> None:
            done = summary.booked + summary.known
            rate = done / (time.monotonic() - began)
            bar.update(task, completed=trades.position, said=f"{done:,} ({rate:,.0f}/s)")

        yield watch
