"""`paperdesk watchlist import`: many tickers at once, from a file or as words, as a job."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.job_table import read_rows
from paperdesk.cli.jobs import Auto, Key, Rejects, make
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.watchlist.pasted import tickers_in

_TABLES: Final = frozenset({".csv", ".json"})
_NAMES: Final = ("ticker", "symbol")


def import_watchlist(
    *given: Annotated[
        str,
        Parameter(help="A CSV file with a column ticker, a JSON or a text file; or the tickers."),
    ],
    auto: Auto = False,
    name: Annotated[str | None, Parameter(help="What to call the job.")] = None,
    key: Key = None,
    rejects: Rejects = None,
    options: Remote = REMOTE,
) -> int:
    """Put many stocks on the watchlist: shown first, or with --auto at once."""
    rows = _rows(given)
    if not rows:
        raise CommandFailed("Which stocks? Give a file, or their tickers.", Exit.USAGE)
    mode = "auto" if auto else "confirm"
    body = {"kind": "import_watchlist", "name": name, "mode": mode, "rows": rows}
    return make(body, key=key, rejects=rejects, options=options)


def _rows(given: tuple[str, ...]) -> list[Any]:
    """Return the rows of what was given: of a table those of its file, else a ticker each."""
    said = " ".join(given)
    path = Path(said)
    if path.suffix.lower() in _TABLES:
        rows = read_rows(path)
        if path.suffix.lower() == ".csv" and not any(_has_ticker(row) for row in rows):
            raise CommandFailed(
                f"{path} has no column ticker or symbol. Name it in the first line; a text file "
                "needs none.",
                Exit.USAGE,
            )
        return rows
    if path.suffix.lower() == ".txt" or path.is_file():
        said = _read(path)
    # As objects, so that a file of those that failed can be fed back.
    return [{"ticker": ticker} for ticker in tickers_in(said)]


def _has_ticker(row: Any) -> bool:
    return isinstance(row, dict) and any(name in row for name in _NAMES)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.", Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} cannot be read: it is no UTF-8 text.", Exit.USAGE) from error
