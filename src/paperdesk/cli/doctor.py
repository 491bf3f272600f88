"""`paperdesk doctor`: is everything well, and if not, what to do. It only looks."""

from typing import Final

from rich.text import Text

from paperdesk.cli import checks, database_checks
from paperdesk.cli.checks import Check
from paperdesk.cli.failures import Exit
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import clean, say, show_value
from paperdesk.clock import SystemClock
from paperdesk.settings import Settings, sqlite_path

_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(*, options: Shown = SHOWN) -> int:
    """Check the database, the machine and the desk. Exit 1 when there is a problem."""
    settings = Settings.load()
    now = SystemClock().now()
    path = sqlite_path(settings.database_url)
    found = database_checks.sqlite(path) if path else database_checks.postgresql(settings)
    found += checks.machine(settings, path, now)
    found += checks.desk(settings, now)
    healthy = all(check.state != "problem" for check in found)
    if options.json:
        show_value({"ok": healthy, "checks": found})
    else:
        for check in found:
            _tell(check)
        say("\nNo problems." if healthy else "\nThere are problems.")
    return Exit.OK if healthy else Exit.REFUSED


def _tell(check: Check) -> None:
    line = Text(f"{check.state:8}", style=_COLOURS[check.state])
    line.append(f" {check.name:12} {clean(check.found)}", style="default")
    say(line)
    if check.advice:
        say(f"{'':22}{clean(check.advice)}")
