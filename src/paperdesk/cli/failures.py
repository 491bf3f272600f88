"""How a command ends: the exit codes, and the one line that says why."""

import sys
from enum import IntEnum
from typing import Final

from paperdesk.errors import DatabaseHeld, DatabaseUnusable, PaperdeskError, SettingsError


class Exit(IntEnum):
    """The exit codes of `paperdesk`. Scripts rely on them; `--help` and docs/cli.md list them."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    HELD = 3
    UNUSABLE = 4
    NO_DESK = 5


EXIT_CODES = """\
Exit codes:
  0  done
  1  refused, or failed
  2  wrong usage, or a setting that cannot be used
  3  the database is in use by another process
  4  the database cannot be used
  5  no desk answers"""


_HINT: Final = " (run again with PAPERDESK_LOG_LEVEL=debug for the traceback)"


class CommandFailed(Exception):
    """A command cannot go on. The message is one sentence for a person.

    `problem` is the same as JSON, where a program asked for JSON.
    """

    def __init__(self, message: str, exit_code: Exit, problem: bytes | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.problem = problem


def exit_code(error: BaseException) -> Exit:
    """Return the exit code that belongs to an error."""
    match error:
        case CommandFailed():
            return error.exit_code
        case SettingsError():
            return Exit.USAGE
        case DatabaseHeld():
            return Exit.HELD
        case DatabaseUnusable():
            return Exit.UNUSABLE
        # The driver of PostgreSQL is an extra, and the first import of it says that it is missing.
        case ModuleNotFoundError(name="asyncpg" | "psycopg"):
            return Exit.UNUSABLE
        case _:
            return Exit.REFUSED


def sentence(error: BaseException) -> str:
    """Return what to tell a person about an error, in one line."""
    match error:
        case CommandFailed() | PaperdeskError():
            return one_line(str(error))
        case ModuleNotFoundError(name="asyncpg" | "psycopg"):
            return 'PostgreSQL needs its driver: pip install "paperdesk[postgres]".'
        case _:
            return one_line(f"Unexpected {type(error).__name__}: {error}")


def is_unexpected(error: BaseException) -> bool:
    """Say whether nobody thought of the error: its sentence tells a programmer more than a user."""
    driver = isinstance(error, ModuleNotFoundError) and error.name in {
        "asyncpg",
        "psycopg",
    }
    return not driver and not isinstance(error, CommandFailed | PaperdeskError)


def one_line(text: str) -> str:
    """Return the text in one line, without characters that could steer a terminal."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def complain(error: BaseException) -> Exit:
    """Print why the command failed, in one line on standard error, and return the exit code."""
    hint = _HINT if is_unexpected(error) else ""
    sys.stderr.write(f"paperdesk: {sentence(error)}{hint}\n")
    sys.stderr.flush()
    return exit_code(error)
