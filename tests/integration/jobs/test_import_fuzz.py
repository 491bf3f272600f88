"""Samples of brokers' files, broken in any way: a problem or a job that ends, and sound books.

IMPORT_EXAMPLES says how often each sample is broken in each way, IMPORT_SEED with which one to
begin, and IMPORT_BYTES how long the longest row is; `make soak-imports` sends gigabytes.
"""

import asyncio
import json
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from paperdesk.jobs.history.booking import SOURCE
from paperdesk.jobs.history.names import PREFIX
from paperdesk.jobs.loading import BROKE_OFF
from paperdesk.ledger.cash import UNDONE
from paperdesk.models import CashMovement, JobRow, PositionAdjustment, Trade
from support.desk import DeskClient
from support.imports import SAMPLES
from support.jobs import ask, assert_counted, rows, shown, until
from support.trading import assert_books_hold
from support.uploads import OPTIONS, assert_proven, assert_refused, give, imported, send, table

EXAMPLES: Final = int(os.environ.get("IMPORT_EXAMPLES", "1"))
SEED: Final = int(os.environ.get("IMPORT_SEED", "1"))
BYTES: Final = int(os.environ.get("IMPORT_BYTES", str(20 << 20)))
FILES: Final = sorted(SAMPLES.iterdir())
FORMULAS: Final = ("=1+1", "+1+1", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x","y")', '="AAPL"')
NUMBERS: Final = ("0.000000001", "0.5", "0", "-1", "7", "31", "999999999.99", "1000000000", "1e9")
_PIECE: Final = 1 << 20

pytestmark = pytest.mark.timeout(120 + 60 * EXAMPLES + BYTES // 1_000_000)

Break = Callable[[random.Random, Path], bytes]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("cp1252" if path.name == "european.csv" else "utf-8-sig")


def with_flipped_bits(chance: random.Random, path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 40)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def cut_off(chance: random.Random, path: Path) -> bytes:
    content = path.read_bytes()
    return content[: chance.randrange(len(content))]


def with_strange_bytes(chance: random.Random, path: Path) -> bytes:
    content = path.read_bytes()
    at = chance.randrange(len(content))
    return content[:at] + chance.randbytes(chance.randint(1, 300)) + content[at:]


def in_another_encoding(chance: random.Random, path: Path) -> bytes:
    encoding = chance.choice(["utf-16-le", "utf-16-be", "utf-16", "latin-1", "utf-7", "utf-32"])
    return text_of(path).encode(encoding, "replace")


def with_lines_elsewhere(chance: random.Random, path: Path) -> bytes:
    """Lines in another order, some of them twice, some not at all."""
    lines = path.read_bytes().split(b"\n")
    return (
        b"\n".join(chance.choices(lines[1:], k=len(lines)))
        if chance.random() < 0.2
        else b"\n".join([lines[0], *chance.choices(lines[1:], k=len(lines))])
    )


def with_other_numbers(chance: random.Random, path: Path) -> bytes:
    """Numbers of any size where others were: amounts, times and tickers of all kinds."""
    text = text_of(path)
    mark = "," if text.count(";") > text.count("\n") else "."
    amounts = re.compile(rf"\d+\{mark}\d+")
    for _ in range(chance.randint(1, 20)):
        digits = amounts if chance.random() < 0.8 and amounts.search(text) else re.compile(r"\d+")
        at = chance.choice(list(digits.finditer(text)))
        number = chance.choice(NUMBERS).replace(".", mark)
        text = text[: at.start()] + number + text[at.end() :]
    return text.encode()


_WAYS: Final[tuple[Break, ...]] = (
    with_flipped_bits,
    cut_off,
    with_strange_bytes,
    in_another_encoding,
    with_lines_elsewhere,
    with_other_numbers,
)


def of_formulas(path: Path, formula: str) -> bytes:
    """Return a sample with that formula in the place of every value."""
    text = text_of(path)
    if path.suffix == ".json":
        return json.dumps(
            json.loads(
                text,
                parse_int=lambda _: formula,
                parse_float=lambda _: formula,
                object_hook=lambda fields: {
                    name: each if isinstance(each, list | dict) else formula
                    for name, each in fields.items()
                },
            )
        ).encode()
    quoted = formula.replace('"', '""')
    header, *others = text.splitlines()
    return "\n".join(
        [header, *(",".join([f'"{quoted}"'] * (line.count(",") + 1)) for line in others)]
    ).encode()


@pytest.fixture
async def working_desk(sqlite_desk: DeskClient) -> DeskClient:
    """A desk on SQLite whose worker has put back what was left behind."""
    await sqlite_desk.app.state.worker.started.wait()
    return sqlite_desk


async def ready(desk: DeskClient) -> None:
    """Let the account hold what the samples tell of."""
    await give(desk, 5_000_000)
    rules = await desk.patch("/api/accounts/default", json={"short_selling": {"enabled": True}})
    assert rules.status_code == 200, rules.text


async def take(desk: DeskClient, content: bytes, name: str, **form: Any) -> dict[str, Any] | None:
    """Send a file; return the job at its end, None where it is refused as documented."""
    answer = await send(desk, content, name, **{"mode": "auto", **form})
    if answer.status_code == 201:
        done = await until(desk, answer.json()["id"], "completed_at")
        assert done["error_code"] != BROKE_OFF, (name, done)
        return done
    assert 400 <= answer.status_code < 500, (name, answer.text)
    assert_refused(answer, answer.status_code, answer.json()["code"])
    return None


async def assert_whole(desk: DeskClient) -> None:
    """Each completed row has its entries, any other has none, and there are no others."""
    database = desk.app.state.database
    expected: Counter[str] = Counter()
    async with database.read() as session:
        for row in await session.scalars(select(JobRow)):
            # None broke off again and again, as where the database refuses what is booked.
            assert row.status in {"completed", "failed", "skipped"}, vars(row)
            assert (row.status == "completed") is (row.effect is not None), vars(row)
            if row.effect is not None:
                said = dict(row.effect)
                name = said.pop("name")
                expected.update(said.pop("trades", ()))
                expected.update(said.pop("cash", ()))
                expected.update([name] * len(said))
        found = Counter(await session.scalars(select(Trade.id).where(Trade.source == SOURCE)))
        for table_of in (CashMovement, PositionAdjustment):
            ours = table_of.key.startswith(PREFIX) & ~table_of.key.endswith(UNDONE)
            found.update(await session.scalars(select(table_of.key).where(ours)))
    assert found == expected
    await assert_counted(database)
    await assert_books_hold(database)
    await assert_proven(desk)


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
async def test_a_broken_file_is_a_problem_or_a_job_that_ends(desk: DeskClient, way: Break) -> None:
    await ready(desk)
    ended: Counter[str] = Counter()
    for seed in range(SEED, SEED + EXAMPLES):
        for path in FILES:
            name = f"{way.__name__} {seed} {path.name}"
            chance = random.Random(name)
            content = await asyncio.to_thread(way, chance, path)
            form = OPTIONS.get(path.name, {}) | {"fund": chance.random() < 0.5}
            done = await take(desk, content, name, **form)
            ended[done["status"] if done else "refused"] += 1
    assert ended["completed"] > 2 * EXAMPLES, "hardly any of the files was read"
    await assert_whole(desk)


@pytest.mark.parametrize("formula", FORMULAS)
async def test_formulas_are_never_booked(working_desk: DeskClient, formula: str) -> None:
    for path in FILES:
        done = await take(working_desk, of_formulas(path, formula), path.name)
        assert done is None or not done["successful_rows"], path.name
    await assert_whole(working_desk)


async def test_what_was_broken_is_undone_and_leaves_nothing(desk: DeskClient) -> None:
    """Of files with other numbers, whatever they came to: the last import is taken back first."""
    await ready(desk)
    before = (await desk.get("/api/portfolio")).json()["cash_balance"]
    made: list[str] = []
    for path in FILES[::3]:
        name = f"undone {SEED} {path.name}"
        content = with_other_numbers(random.Random(name), path)
        done = await take(desk, content, name, **OPTIONS.get(path.name, {}))
        if done and done["successful_rows"]:
            made.append(done["id"])
    reviewed = 0
    for job_id in reversed(made):
        await ask(desk, job_id, "undo")
        await until(desk, job_id, "undone_at")
        await shown(desk)
        reviewed += sum(row["status"] == "needs_review" for row in await rows(desk, job_id))
    after = (await desk.get("/api/portfolio")).json()
    assert reviewed or (after["cash_balance"], after["positions"]) == (before, [])
    await assert_counted(desk.app.state.database)
    await assert_proven(desk)


def form_of(before: bytes, unit: bytes, after: bytes) -> AsyncIterator[bytes]:
    """Give a form, piece by piece, with a file that has `unit` again and again in its middle."""

    async def pieces() -> AsyncIterator[bytes]:
        for name, said in (("mode", b"auto"), ("format", b"generic")):
            yield b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % name.encode()
            yield said + b"\r\n"
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="long.csv"\r\n\r\n'
        yield before
        piece = unit * (_PIECE // len(unit))
        for _ in range(BYTES // len(piece)):
            yield piece
        yield after + b"\r\n--b--\r\n"

    return pieces()


def peak(*, anew: bool = False) -> int:
    """Return how many bytes of memory the process used at the most, if so from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    [used] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(used) << 10


GOOD: Final = "2026-03-04T15:00:00Z,AAPL,buy,1,10,,,"
LATER: Final = "2026-03-05T15:00:00Z,AAPL,buy,1,10,,,"


@pytest.mark.parametrize(
    ("opens", "unit", "closes", "codes"),
    [
        ("", b"x", "", ["ROW_TOO_LONG"]),
        ('2026-03-04T16:00:00Z,AAPL,buy,1,10,,,"', b"y z", '"', ["ROW_TOO_LONG"]),
        ('"', b'""', "", ["ROW_TOO_LONG"]),
        ("", b",", "", ["ROW_TOO_LONG"]),
        ("", b" ", "", ["ROW_TOO_LONG"]),
        ("", b"\0", "", ["ROW_TOO_LONG"]),
        ("", b"\xff", "", ["ROW_TOO_LONG"]),
        ("", b" " * 99 + b"\r\n", "", []),
    ],
    ids=["text", "a cell", "quotes", "separators", "spaces", "NUL", "no text", "blank rows"],
)
async def test_a_row_of_any_length_costs_that_row_alone(
    working_desk: DeskClient, opens: str, unit: bytes, closes: str, codes: list[str]
) -> None:
    before = peak(anew=True)
    begun, rest = (table(GOOD) + opens).encode(), f"{closes}\n{LATER}\n".encode()
    answer = await working_desk.post(
        "/api/jobs",
        content=form_of(begun, unit, rest),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
        timeout=None,
    )
    assert answer.status_code == 201, answer.text
    async with asyncio.timeout(60 + BYTES // 5_000_000):
        while True:
            found = (await working_desk.get(f"/api/jobs/{answer.json()['id']}")).json()
            if found["completed_at"]:
                break
            await asyncio.sleep(0.05)
    found_rows = await rows(working_desk, found["id"])
    assert [row["error_code"] for row in found_rows if row["status"] == "failed"] == codes
    assert found["successful_rows"] == 2
    assert peak() - before < 20 << 20


async def test_a_file_that_is_one_row_is_asked_about(working_desk: DeskClient) -> None:
    for content in (
        b"x" * BYTES,
        b"date,symbol," * (1 << 20),
        b"[" * (1 << 20),
        b'{"a":' * 999_999,
    ):
        assert await take(working_desk, content[: 64 << 20], "a") is None
    assert (await imported(working_desk, table(GOOD)))["successful_rows"] == 1
