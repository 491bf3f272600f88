"""The table of results, and its JSON to keep."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Wish = Literal["at least", "at most"]

_console = Console(highlight=False)
if not _console.is_terminal:
    _console.width = 120


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, what it was measured beside, and what it should be."""

    name: str
    value: float
    unit: str
    beside: str = ""
    beside_value: float | None = None
    ratio: float | None = None
    aim: float | None = None
    stretch: float | None = None
    wish: Wish = "at least"
    note: str = ""

    @property
    def judged(self) -> float:
        """The number that the aim is about."""
        return self.value if self.ratio is None else self.ratio

    @property
    def verdict(self) -> str:
        """How the figure stands to its aim."""
        if self.aim is None:
            return ""
        if self.stretch is not None and self._reaches(self.stretch):
            return "stretch"
        return "reached" if self._reaches(self.aim) else "missed"

    def _reaches(self, aim: float) -> bool:
        return self.judged >= aim if self.wish == "at least" else self.judged <= aim


@dataclass(slots=True)
class Part:
    """One section of the table: a workload, its figures and what was checked afterwards."""

    title: str
    workload: str
    figures: list[Figure] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    failure: str = ""
    """Why its figures are worthless, if they are."""


def say(text: str) -> None:
    """Print a line of progress."""
    _console.print(text, style="dim")


def show(parts: Sequence[Part]) -> None:
    """Print everything as one table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "measured", "beside", "ratio", "aim", "verdict"):
        table.add_column(heading, justify="left" if heading in {"", "verdict"} else "right")
    for part in parts:
        table.add_row(f"[bold]{part.title}[/bold]")
        for figure in part.figures:
            table.add_row(f"  {figure.name}", *_cells(figure))
        table.add_section()
    _console.print(table)
    for part in parts:
        _console.print(f"[bold]{part.title}[/bold]: {part.workload}")
        for figure in part.figures:
            if figure.note:
                _console.print(f"  {figure.name}: {figure.note}")
        for check in part.checks:
            _console.print(f"  checked: {check}")
        if part.failure:
            _console.print(f"  [bold red]FAILED[/bold red]: {escape(part.failure)}")


def write(parts: Sequence[Part], facts: dict[str, Any], path: Path) -> None:
    """Keep the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [
        {
            "title": part.title,
            "workload": part.workload,
            "figures": [asdict(figure) | {"verdict": figure.verdict} for figure in part.figures],
            "checks": part.checks,
            "failure": part.failure,
        }
        for part in parts
    ]
    path.write_text(json.dumps({"machine": facts, "parts": kept}, indent=2) + "\n")
    say(f"Kept as {path}")


def compare(before: Path, after: Path) -> None:
    """Print two kept results side by side."""
    old, new = (json.loads(path.read_text()) for path in (before, after))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", before.stem, after.stem, "after / before"):
        table.add_column(heading, justify="left" if not heading else "right")
    earlier = _judged(old)
    for key, (value, shown) in _judged(new).items():
        known = earlier.get(key)
        change = f"{value / known[0]:.2f}" if known and known[0] else ""
        table.add_row(": ".join(key), known[1] if known else "", shown, change)
    _console.print(table)
    for name, path, kept in (("before", before, old), ("after", after, new)):
        _console.print(f"{name}: {path}, {kept['machine']}", style="dim")


def _judged(kept: dict[str, Any]) -> dict[tuple[str, str], tuple[float, str]]:
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for part in kept["parts"]:
        for fields in part["figures"]:
            del fields["verdict"]
            figure = Figure(**fields)
            unit = figure.unit if figure.ratio is None else "x"
            found[part["title"], figure.name] = (figure.judged, number(figure.judged, unit))
    return found


def _cells(figure: Figure) -> tuple[str, ...]:
    beside = figure.beside
    if figure.beside_value is not None:
        beside = f"{beside} {number(figure.beside_value, figure.unit)}"
    aim = ""
    if figure.aim is not None:
        sign = "≥" if figure.wish == "at least" else "≤"
        aim = f"{sign} {figure.aim:g}" + (f" ({figure.stretch:g})" if figure.stretch else "")
    style = {"missed": "red", "reached": "green", "stretch": "bold green"}.get(figure.verdict)
    return (
        number(figure.value, figure.unit),
        beside,
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        aim,
        f"[{style}]{figure.verdict}[/{style}]" if style else "",
    )


def number(value: float, unit: str) -> str:
    """Return a number with its unit, no more exact than it is."""
    digits = 0 if abs(value) >= 100 else 2 if abs(value) < 10 else 1
    return f"{value:,.{digits}f}{'' if unit in {'/s', 'x', '%'} else ' '}{unit}".rstrip()
