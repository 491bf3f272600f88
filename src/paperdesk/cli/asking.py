"""Asking a person before something is done that cannot be undone."""

import sys

from paperdesk.cli.failures import CommandFailed, Exit


def confirm(question: str, answer: str, *, yes: bool, what: str) -> None:
    """Ask, unless `yes` was said. Raises CommandFailed where it is not answered with `answer`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"Say --yes to {what}.", Exit.USAGE)
    # Not `input`, which would write into the JSON on standard output.
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.stdin.readline().strip() != answer:
        raise CommandFailed(f"That is not {answer!r}. Nothing was changed.", Exit.USAGE)
