"""`paperdesk completion`: what makes a shell complete commands and options."""

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from paperdesk.cli.commands import app


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell you use.")], /
) -> None:
    """Print the script that completes commands in your shell."""
    sys.stdout.write(app.generate_completion(prog_name="paperdesk", shell=shell) + "\n")
    sys.stdout.flush()
