"""`paperdesk import`, against a desk that really serves."""

import csv
import json
import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pytest

from support.fake_desk import FakeDesk, Reply, problem
from support.imports import SAMPLES
from support.processes import ROOT
from support.program import COMMAND, Program, Result
from support.served import serving

JOB = json.loads("""{"id": "j1", "kind": "import_trades", "name": "a.csv", "status": "pending",
"mode": "auto", "phase": "load", "total_rows": 0, "processed_rows": 0, "successful_rows": 0,
"failed_rows": 0, "total_cost_cents": 0, "created_at": "2026-11-20T15:00:00.000000Z",
"previewed_at": null, "completed_at": null, "undone_at": null, "original_command": null,
"error_message": null}""")
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HEADER = "date,symbol,side,quantity,price\n"
AMBIGUOUS = HEADER + "03/04/2026,AAPL,buy,1,100\n"
GERMAN = (
    *("at=Datum", "ticker=Wertpapier", "kind=Art", "quantity=Stück", "price=Kurs"),
    *("fee=Gebühr", "net=Betrag"),
)
MAPPED = [word for each in GERMAN for word in ("--column", each)]


@pytest.fixture
def program(paperdesk: Program) -> Iterator[Program]:
    """The command, with a desk that serves on SQLite."""
    with serving(paperdesk) as served:
        yield paperdesk.with_environment(PAPERDESK_URL=served.url)


def write(program: Program, name: str, content: str) -> Path:
    path = program.folder / name
    path.write_text(content)
    return path


def standing(program: Program) -> tuple[Decimal, dict[str, Decimal]]:
    told = json.loads(program("portfolio", "--json").out, parse_float=Decimal)
    shares = {each["ticker"]: Decimal(each["quantity"]) for each in told["positions"]}
    return Decimal(told["cash_balance"]), shares


def counts(result: Result) -> dict[str, int]:
    """What the table says: how many rows came to what."""
    lines = result.out[result.out.index("Outcome ") :].splitlines()[1:]
    found: dict[str, int] = {}
    for line in lines:
        if line.startswith("Made (UTC)"):
            break
        words = line.split("  ", 1)
        found[words[0]] = int(words[1].split()[0].replace(",", ""))
    return found


def command(result: Result, begins: str) -> list[str]:
    """A command that was told, as it would be typed."""
    [line] = [line for line in result.out.splitlines() if line.startswith(begins)]
    return shlex.split(line.removeprefix(begins))[1:]


def test_a_file_is_booked_once_and_what_failed_of_it_is_mended(program: Program) -> None:
    sample = str(SAMPLES / "generic.csv")
    first = program("import", sample, "--auto", "--rejects", "rejected.csv")
    assert (first.code, first.err) == (1, "")
    assert counts(first) == {
        "booked": 9,
        "skipped: INSTRUMENT": 2,
        **dict.fromkeys(
            [f"failed: {each}" for each in ("CURRENCY", "TICKER", "NUMBER", "KIND")]
            + ["failed: DATE", "failed: FUTURE"],
            1,
        ),
    }
    assert "Line 15: quantity: '=1+1' is no number." in first.out
    assert "$4,416.14" in first.out
    before = standing(program)
    assert before[0] == Decimal("5583.86")

    again = program("import", sample, "--auto")
    assert (again.code, counts(again)["already there"]) == (1, 9)
    assert standing(program) == before

    rejected = program.folder / "rejected.csv"
    with rejected.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["date", "time", "symbol", "side"]
    assert header[-4:] == ["error_line", "error_code", "error_message", "error_row"]
    assert [row[-4] for row in rows] == ["11", "14", "15", "16", "17", "18"]
    text = rejected.read_text().replace("=1+1", "2").replace("hold", "buy", 1)
    rejected.write_text(text.replace("2026-02-30", "2026-02-28"))
    mended = program(*command(first, "Mend them there: "), "--auto", "--rejects", "second.csv")
    assert (mended.code, counts(mended)["booked"]) == (1, 3), mended.err
    assert standing(program)[1]["MSFT"] == 4
    with (program.folder / "second.csv").open(newline="") as file:
        header_again, *left = csv.reader(file)
    assert header_again == header
    assert sorted(row[-3] for row in left) == ["CURRENCY", "FUTURE", "TICKER"]


def test_a_file_of_sections_and_one_of_json_are_mended_in_their_own_form(program: Program) -> None:
    sections = program(
        "import", str(SAMPLES / "ibkr_activity.csv"), "--auto", "--fund", "--rejects", "i.csv"
    )
    assert sections.code == 1, sections.err
    path = program.folder / "i.csv"
    path.write_text(path.read_text().replace("Trades,Data,Basket", "Trades,Data,Order"))
    mended = program(*command(sections, "Mend them there: "), "--auto", "--json")
    assert json.loads(mended.out)["successful_rows"] == 1, mended.err

    document = program(
        "import", str(SAMPLES / "ghostfolio.json"), "--auto", "--fund", "--rejects", "g.json"
    )
    path = program.folder / "g.json"
    [failed] = json.loads(path.read_text())
    assert (failed["symbol"], failed["error_code"]) == ("SAP.DE", "CURRENCY")
    path.write_text(path.read_text().replace('"currency": "EUR"', '"currency": "USD"'))
    mended = program(*command(document, "Mend them there: "), "--auto", "--json")
    assert (mended.code, json.loads(mended.out)["total_rows"]) == (0, 1), mended.err
    assert standing(program)[1]["SAP.DE"] == 1


def test_what_the_books_refused_is_the_same_row_whichever_way_it_is_booked(
    program: Program,
) -> None:
    file = str(write(program, "a.csv", HEADER + "2026-03-02,AAPL,buy,0.001,123456789.123456789\n"))
    refused = program("import", file, "--auto", "--rejects", "rejected.csv")
    assert refused.code == 1
    assert counts(refused) == {"failed: INSUFFICIENT_CASH": 1}
    assert not (program.folder / "rejected.csv").exists()

    [row] = csv.DictReader((program.folder / "rejected-refused.csv").read_text().splitlines())
    assert (row["kind"], row["ticker"], row["price"]) == ("buy", "AAPL", "123456789.123456789")
    assert program("cash", "deposit", "200000").code == 0
    booked = program(*command(refused, "Change them there: "), "--auto")
    assert (booked.code, counts(booked)) == (0, {"booked": 1}), booked.err
    # Neither the file nor the job that had it first adds it once more.
    assert counts(program("import", file, "--auto")) == {"already there": 1}
    retried = program(*command(refused, "Or once cash and shares are there: "))
    assert counts(retried) == {"already there": 1}, retried.err
    assert standing(program) == (Decimal("86543.210877"), {"AAPL": Decimal("0.001")})


def test_it_is_estimated_started_and_watched_like_any_job(program: Program) -> None:
    shown = program("import", str(SAMPLES / "schwab.csv"), "--fund", "--rejects", "early.csv")
    assert (shown.code, shown.err) == (0, "")
    assert counts(shown)["would be booked"] >= 8
    # What cannot be read is known at once.
    assert (program.folder / "early.csv").exists()
    assert "Drop it: paperdesk job delete" in shown.out
    assert standing(program)[0] == 10_000
    [made] = json.loads(program("jobs", "--json").out)
    assert made["options"]["format"] == "schwab"

    started = program("job", "start", made["id"], "--rejects", "late.csv")
    assert started.code == 1
    assert counts(started)["booked"] >= 8
    assert (program.folder / "late-refused.csv").exists()
    watched = program("jobs", "watch", made["id"], "--json")
    assert (watched.code, json.loads(watched.out)["kind"]) == (1, "import_trades")
    assert program("job", "undo", made["id"]).code == 0
    assert standing(program)[0] == 10_000


def test_a_question_names_the_option_that_answers_it(program: Program) -> None:
    write(program, "dates.csv", AMBIGUOUS)
    write(program, "marks.csv", HEADER + '2026-03-04,AAPL,buy,1,"1,234"\n')
    write(program, "names.csv", "Datum,Wertpapier,Kurs\n2026-03-04,AAPL,1\n")
    for arguments, said in (
        (["dates.csv"], "Say --date-order day_first or --date-order month_first. [QUESTION]"),
        (["marks.csv"], "Say --decimal . or --decimal ,. [QUESTION]"),
        (["names.csv"], "Say which of them are at, ticker, kind, quantity, price: --column ticker"),
        (["dates.csv", "--format", "etrade"], "paperdesk: --format: is none of alpaca"),
        (["names.csv", "--column", "when=Datum"], "paperdesk: --column: 'when' cannot be mapped"),
    ):
        asked = program("import", *arguments)
        assert (asked.code, asked.out) == (2, ""), asked.out
        assert said in asked.err
        assert len(asked.err.splitlines()) == 1
    assert json.loads(program("jobs", "--json").out) == []

    done = program("import", "dates.csv", "--date-order", "day_first", "--auto")
    assert done.code == 0, done.err
    [trade] = json.loads(program("trades", "--json").out)
    assert trade["executed_at"].startswith("2026-04-03")


def test_rejected_rows_are_read_as_their_file_was_read(program: Program) -> None:
    # Alone, the second row would say that the day comes first.
    write(program, "a.csv", HEADER + "03/04/2026,AAPL,buy,1,100\n31/03/2026,AAPL,buy,1,100\n")
    told = ("--date-order", "month_first", "--auto", "--rejects", "rejected.csv")
    first = program("import", "a.csv", *told)
    assert counts(first) == {"booked": 1, "failed: DATE_ORDER": 1}
    again = program(*command(first, "Mend them there: "), "--auto")
    assert counts(again) == {"failed: DATE_ORDER": 1}

    # Neither semicolons nor Windows' letters are left, nor a number that tells the decimal mark.
    german = program(
        *("import", str(SAMPLES / "european.csv"), *MAPPED, "--fund", "--auto"),
        *("--rejects", "german.csv"),
    )
    assert (counts(german)["booked"], counts(german)["failed: CONTRADICTION"]) == (4, 1)
    path = program.folder / "german.csv"
    path.write_text(path.read_text().replace('"-10,50"', '"1.010,500"'))
    mended = program(*command(german, "Mend them there: "), "--auto")
    assert counts(mended) == {"failed: INSUFFICIENT_SHARES": 1}, mended.err
    path.write_text(path.read_text().replace("MSFT", "AAPL"))
    mended = program(*command(german, "Mend them there: "), "--auto")
    assert (mended.code, counts(mended)) == (0, {"booked": 1}), mended.err
    [trade] = json.loads(program("trades", "--limit", "1", "--json").out, parse_float=Decimal)
    assert (trade["price"], trade["fee"]) == (Decimal("10.5"), Decimal(-1000))


def test_standard_input_is_a_file_too(program: Program) -> None:
    def piped(source: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, "import", "-", "--auto", "--json"],
            cwd=program.folder,
            env=os.environ | program.environment,
            stdin=source,
            capture_output=True,
            timeout=60,
            check=False,
        )

    row = "2026-03-02,AAPL,buy,1,100\n"
    ours, theirs = os.pipe()
    os.write(theirs, (HEADER + row).encode())
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        done = piped(pipe)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file_name"] == "standard input"
    # Of a file that somebody has begun to read, the rest.
    path = write(program, "a.csv", "not this line\n" + HEADER + row + row)
    with path.open("rb", buffering=0) as file:
        file.seek(len("not this line\n"))
        done = piped(file)
    assert (done.returncode, json.loads(done.stdout)["total_rows"]) == (0, 2), done.stderr
    assert standing(program)[1] == {"AAPL": Decimal(2)}


def test_what_cannot_be_sent_is_told_in_one_line(program: Program) -> None:
    write(program, "a.csv", AMBIGUOUS)
    write(program, "empty.csv", "")
    for arguments, code, said in (
        (["none.csv"], 2, "none.csv cannot be read: No such file or directory."),
        (["."], 2, ". cannot be read: Is a directory."),
        (["empty.csv"], 2, "The file is empty. [UNREADABLE_FILE]"),
        (["a.csv", "--column", "Datum"], 2, "say it as ticker=Symbol"),
        (["a.csv", "--column", "at=a", "--column", "at=b"], 2, "at is said twice"),
        (["a.csv", "--rejects", "a.csv"], 2, "must name another file"),
        (["a.csv", "--zone", "Europe/Nowhere"], 2, "zone: "),
        (["a.csv", "--account", "nobody"], 1, "[NOT_FOUND]"),
    ):
        failed = program("import", *arguments)
        assert (failed.code, failed.out) == (code, ""), (arguments, failed)
        assert said in failed.err
        assert len(failed.err.splitlines()) == 1
    nowhere = program("import", "a.csv", PAPERDESK_URL="http://127.0.0.1:1")
    assert (nowhere.code, "No desk answers" in nowhere.err) == (5, True)


def test_a_file_without_rows_and_one_too_long_for_all_or_nothing_end_as_failed(
    program: Program,
) -> None:
    write(program, "header.csv", HEADER)
    write(program, "long.csv", HEADER + "2026-03-02,AAPL,buy,1,1\n" * 1001)
    for arguments, said in (
        (["header.csv"], "a header and no rows"),
        (["long.csv", "--all-or-nothing"], "at most 1,000 rows"),
        (["long.csv", "--all-or-nothing", "--auto"], "at most 1,000 rows"),
    ):
        failed = program("import", *arguments)
        assert failed.code == 1
        assert said in failed.out
        assert "Book it" not in failed.out
    assert standing(program) == (Decimal(10_000), {})


def test_the_file_is_sent_again_under_one_key_and_whole(cli: Program, desk: FakeDesk) -> None:
    write(cli, "a.csv", AMBIGUOUS)
    busy = problem(503, "BUSY", "Busy.")
    desk.answers(Reply(status=0), busy, problem(422, "QUESTION", "Which? Say format."))

    asked = cli("import", "a.csv", "--key", "monday")

    assert (asked.code, asked.err) == (2, "paperdesk: Which? Say which with --format. [QUESTION]\n")
    assert len(desk.asked) == 3
    assert {each.headers["Idempotency-Key"] for each in desk.asked} == {"monday"}
    for each in desk.asked:
        assert AMBIGUOUS in each.body
        assert 'filename="a.csv"' in each.body
        assert int(each.headers["Content-Length"]) == len(each.body)
    # Each time it makes a new key, unless it is told one; and says it where the end is not known.
    desk.answers(Reply(status=0))
    lost = cli("import", "a.csv")
    keys = {each.headers["Idempotency-Key"] for each in desk.asked[3:]}
    assert (lost.code, len(keys), keys <= {"monday"}) == (1, 1, False)
    assert f"--key {keys.pop()}" in lost.err


def test_a_desk_that_waits_no_longer_is_quoted(cli: Program, desk: FakeDesk) -> None:
    write(cli, "a.csv", AMBIGUOUS)
    desk.answers(Reply("The request did not arrive in 10 s. Send faster.", 408))
    slow = cli("import", "a.csv")
    assert (slow.code, "did not arrive in 10 s" in slow.err) == (1, True)


def test_a_terminal_shows_bytes_while_it_is_sent_and_loaded_and_rows_while_it_is_booked(
    cli: Program, desk: FakeDesk
) -> None:
    write(cli, "a.csv", HEADER + "2026-03-02,AAPL,buy,1,100\n" * 40_000)

    def event(**changes: Any) -> str:
        return f"data: {json.dumps(JOB | changes)}\n\n"

    loading = event(steps_done=750_000, steps_total=1_040_000, rate=250_000, seconds_left=61)
    running = {"status": "running", "phase": "run", "total_rows": 40_000, "processed_rows": 4_000}
    booking = event(**running, failed_rows=7, rate=2_000, seconds_left=18)
    ended = event(**running | {"status": "completed"})
    # Each stream breaks off, and a second later the command asks again.
    streams = [
        Reply(each, headers={"Content-Type": "text/event-stream"})
        for each in (loading, booking, ended)
    ]
    desk.answers(Reply(json.dumps(JOB), 201), json.dumps(JOB), *streams, "[]")

    shown = on_terminal(cli, "import", "a.csv")

    for each in (
        "Loading ",
        "750.0 kB of 1.0 MB 250.0 kB/s, 0 failed, 1:01 left",
        "Booking ",
        "4,000 of 40,000 2,000/s, 7 failed, 0:18 left",
    ):
        assert each in shown
    assert "Sending" in shown
    assert "1.0/1.0 MB" in shown


def on_terminal(cli: Program, *arguments: str) -> str:
    """What a command shows on standard error, where that is a terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cli.folder,
        env=os.environ | cli.environment | {"TERM": "xterm", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    # The end of a terminal is an error on Linux.
    with suppress(OSError):
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)
    assert done.wait(30) == 0
    return STYLE.sub("", shown.decode())


def test_the_example_of_the_documentation_is_true(program: Program) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    content, _, after = page.partition("$ cat statement.csv\n")[2].partition("$ paperdesk ")
    typed, _, told = after.partition("```")[0].partition("\n")
    write(program, "statement.csv", content)

    done = program(*shlex.split(typed))

    def plain(text: str) -> list[str]:
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
        text = re.sub(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", "TIME", text)
        return [line.rstrip() for line in text.splitlines()]

    assert plain(done.out) == plain(told)
