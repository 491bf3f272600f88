"""Files that tests send to a desk, and what became of them."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from support.desk import DeskClient
from support.imports import SAMPLES
from support.jobs import ask, ended, shown, until

GERMAN = (
    '{"at": "Datum", "ticker": "Wertpapier", "kind": "Art", "quantity": "Stück", "price": "Kurs", '
    '"fee": "Gebühr", "net": "Betrag"}'
)
OPTIONS = {"european.csv": {"columns": GERMAN}}
"""What samples must be told."""
HEADER = "date,symbol,side,quantity,price,fee,net amount,ratio"
"""Of files that tests write: what the desk understands without being told."""


async def send(desk: DeskClient, content: bytes | str, name: str = "a.csv", **form: Any) -> Any:
    """Send a file, and return the answer."""
    data = content.encode() if isinstance(content, str) else content
    headers = form.pop("headers", {})
    return await desk.post("/api/jobs", files={"file": (name, data)}, data=form, headers=headers)


async def imported(desk: DeskClient, content: bytes | str, **form: Any) -> dict[str, Any]:
    """Import a file at once, and return the job at its end."""
    answer = await send(desk, content, **{"mode": "auto", **form})
    assert answer.status_code == 201, answer.text
    return await ended(desk, answer.json()["id"])


async def imported_sample(desk: DeskClient, name: str) -> dict[str, Any]:
    sample: Path = SAMPLES / name
    content = await asyncio.to_thread(sample.read_bytes)
    return await imported(desk, content, **OPTIONS.get(name, {}))


async def undone(desk: DeskClient, job_id: str) -> dict[str, Any]:
    await ask(desk, job_id, "undo")
    found = await until(desk, job_id, "undone_at")
    await shown(desk)
    return found


async def give(desk: DeskClient, amount: int) -> None:
    answer = await desk.post("/api/cash", json={"kind": "deposit", "amount": amount})
    assert answer.status_code == 201, answer.text


async def standing(desk: DeskClient) -> tuple[Decimal, dict[str, Decimal]]:
    """The cash of the account, and the shares that it holds."""
    account = (await desk.get("/api/portfolio")).json()
    shares = {each["ticker"]: Decimal(str(each["quantity"])) for each in account["positions"]}
    return Decimal(str(account["cash_balance"])), shares


async def assert_proven(desk: DeskClient) -> None:
    answer = await desk.post("/api/verify")
    assert answer.json()["ok"] is True, answer.text


def table(*lines: str, header: str = HEADER) -> str:
    """Return a file of those lines."""
    return "\n".join([header, *lines, ""])


def assert_refused(answer: Any, status: int, code: str) -> str:
    """Check that an answer is a problem as documented, and return what it says."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    problem = answer.json()
    assert list(problem) == ["type", "title", "status", "detail", "code", "error"]
    assert (problem["type"], problem["status"], problem["code"]) == (f"/docs#{code}", status, code)
    assert problem["detail"] == problem["error"]
    return problem["detail"]


def open_spools() -> int:
    """Return how many files without a name the process has open, as uploads are."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += str(each.readlink()).endswith(" (deleted)")
    return count
