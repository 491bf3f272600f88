"""`docs/schema.sql` is what a reader takes for the schema, so it may not be an old one."""

import subprocess
import sys

from support.processes import ROOT


def test_printed_schema_is_the_one_that_the_migrations_make() -> None:
    command = [sys.executable, "-m", "paperdesk", "schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs" / "schema.sql").read_text(), "run `make schema`"
