"""The `paperdesk` command. Exit codes and examples: `paperdesk --help` and docs/cli.md."""

import os
import sys

from cyclopts import CycloptsError

from paperdesk.cli.commands import app, usage_failure
from paperdesk.cli.failures import CommandFailed, Exit, complain
from paperdesk.errors import PaperdeskError


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    try:
        app()
    except BrokenPipeError:
        # The reader went away, as in `paperdesk trades | head`. Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
    except CycloptsError as error:
        sys.exit(complain(usage_failure(error)))
    except (CommandFailed, PaperdeskError, ModuleNotFoundError) as error:
        sys.exit(complain(error))
