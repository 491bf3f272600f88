"""Options that several commands share."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, validators


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """How to print."""

    json: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Print JSON, for programs."),
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Remote(Shown):
    """How to speak with the desk, and how to print its answer."""

    account: Annotated[
        str | None,
        Parameter(help="The account to act on. Default: the API key's, else `default`."),
    ] = None


HowMany = Annotated[
    int,
    Parameter(
        validator=validators.Number(gte=1, lte=500), help="How many, 1 to 500, newest first."
    ),
]
Every = Annotated[
    bool, Parameter(name="--all", negative="", show_default=False, help="All there are.")
]
OfStrategy = Annotated[str | None, Parameter(help="Only this strategy.")]
OfSource = Annotated[
    str | None, Parameter(help="Only what came through this door, such as api or replay.")
]

SHOWN = Shown()
REMOTE = Remote()
