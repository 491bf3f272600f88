"""`paperdesk verify`: prove the books, whether a desk runs or not. It only reads."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from paperdesk.cli.failures import Exit
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import clean, say, screen, show_value, table
from paperdesk.cli.progress import Show, progress
from paperdesk.db.inspection import is_empty, read_postgresql, read_sqlite, reading
from paperdesk.db.migrate import check_revision, head_revision
from paperdesk.errors import DatabaseUnusable
from paperdesk.ledger.proof.proving import Problem, Verdict, Watch, prove
from paperdesk.ledger.proof.state import state_hash
from paperdesk.models import Base, UserProfile
from paperdesk.settings import Settings, sqlite_path


def verify(*, options: Shown = SHOWN) -> int:
    """Prove the books: replay every journal and compare. Exit 1 when something is wrong."""
    settings = Settings.load()
    path = sqlite_path(settings.database_url)
    if path:
        _check_file(path)
    with reading(settings.database_url) as session:
        if not path:
            found = read_postgresql(session.connection())
            _check_revision(check_revision(found, Base.metadata.tables, "this PostgreSQL database"))
        with progress() as show:
            verdict = prove(session, _counted(session, show))
            state = state_hash(session)
    ok = not verdict.problems
    if options.json:
        problems = [each._asdict() for each in verdict.problems]
        checked = asdict(verdict.checked)
        show_value({"ok": ok, "checked": checked, "problems": problems, "state_hash": state})
    else:
        _tell(verdict, state)
    return Exit.OK if ok else Exit.REFUSED


def show_problems(problems: list[Problem]) -> None:
    """Print what is wrong as a table."""
    rows = table("Account", ">Entry", "~What is wrong")
    for account, sequence, what in problems:
        rows.add_row(clean(account), "" if sequence is None else str(sequence), clean(what))
    screen().print(rows)


def _check_file(path: Path) -> None:
    if is_empty(path):
        raise DatabaseUnusable(f"There is no database at {path} yet. `paperdesk serve` makes it.")
    _check_revision(check_revision(read_sqlite(path), Base.metadata.tables, str(path)))


def _check_revision(revision: str | None) -> None:
    if revision != head_revision():
        raise DatabaseUnusable(
            f"The database is at revision {revision or 'none'}, and this program proves revision "
            f"{head_revision()}. `paperdesk migrate` brings it there."
        )


def _tell(verdict: Verdict, state: str) -> None:
    checked = verdict.checked
    if verdict.problems:
        show_problems(verdict.problems)
        say("")
    say(
        f"Replayed {checked.trades:,} trades, {checked.cash_movements:,} cash movements and "
        f"{checked.position_adjustments:,} position adjustments of {checked.accounts:,} account(s)."
    )
    say(f"State {state}")
    say("There are problems." if verdict.problems else "The books are proven.")


def _counted(session: Session, show: Show) -> Watch:
    """Return the proof's watch that shows how many of all entries were checked."""
    total: Any = session.scalar(select(func.sum(UserProfile.head_sequence)))
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        show("Entries", done, int(total or 0))

    return count
