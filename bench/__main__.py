"""`python -m bench`: everything, or one part of it."""

import sys

from bench.commands import app

if __name__ == "__main__":
    sys.exit(app())
