"""Paperdesk: a self-hosted paper-trading desk.

An acknowledged trade is durable, booked exactly once, and provable.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paperdesk.bootstrap import close_db, init_db
    from paperdesk.db.engine import Database

__version__ = "0.1.0"
__all__ = ["Database", "__version__", "close_db", "init_db"]

_HOMES = {
    "init_db": "paperdesk.bootstrap",
    "close_db": "paperdesk.bootstrap",
    "Database": "paperdesk.db.engine",
}


def __getattr__(name: str) -> object:
    """Load the Python API on first use: commands that only speak HTTP never pay for the ORM."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
