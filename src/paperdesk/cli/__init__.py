"""The `paperdesk` command. Exit codes and examples: `paperdesk --help` and docs/cli.md."""

import os
import sys
import traceback

from cyclopts import CycloptsError

from paperdesk.cli.commands import app, usage_failure
from paperdesk.cli.failures import Exit, complain, is_unexpected


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
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets one line
        # Straight from the environment: the settings themselves may be what cannot be read.
        debugging = os.environ.get("PAPERDESK_LOG_LEVEL", "").lower() == "debug"
        if debugging and is_unexpected(error):
            traceback.print_exception(error)
        sys.exit(complain(error))
