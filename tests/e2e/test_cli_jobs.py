"""`paperdesk basket`, `jobs`, `job` and `worker`, against desks that really serve."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.program import Program
from support.served import serving

ORDERS = """ticker,side,quantity,type,limit_price
AAPL,buy,2,,
MSFT,buy,1000000,,
NVDA,buy,1,limit,1
"""


@pytest.fixture
def program(paperdesk: Program) -> Iterator[Program]:
    """The command, with a desk that serves on SQLite."""
    with serving(paperdesk) as served:
        yield paperdesk.with_environment(PAPERDESK_URL=served.url)


def test_a_basket_is_estimated_booked_mended_and_undone(program: Program, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    estimated = program("basket", "orders.csv")
    assert estimated.code == 0, estimated.err
    assert "As things are it would be refused" in estimated.out
    assert "Book it: paperdesk job start" in estimated.out
    [made] = json.loads(program("jobs", "--json").out)

    booked = program("job", "start", made["id"], "--rejects", "rejected.csv")
    assert booked.code == 1
    assert "the 1 that failed" in booked.out

    # The file of those that failed is corrected, and fed back as it is.
    rejected = tmp_path / "rejected.csv"
    assert "INSUFFICIENT_CASH" in rejected.read_text()
    rejected.write_text(rejected.read_text().replace("1000000", "1"))
    again = program("basket", "rejected.csv", "--auto", "--json")
    assert (again.code, json.loads(again.out)["successful_rows"]) == (0, 1), again.err

    undone = program("job", "undo", made["id"])
    assert undone.code == 0
    assert "taken back" in undone.out
    refused = program("job", "start", made["id"])
    assert (refused.code, "INVALID_STATE" in refused.err) == (1, True)
    assert program("job", "delete", made["id"]).code == 0
    assert len(json.loads(program("jobs", "--json").out)) == 1


def test_a_command_in_words_is_a_basket(program: Program) -> None:
    done = program("basket", "buy $100 of AAPL and MSFT", "--auto")
    assert done.code == 0, done.err
    assert "$200.00" in done.out
    unclear = program("basket", "make me rich")
    assert (unclear.code, "sell half of everything" in unclear.err) == (2, True)


def test_a_watchlist_is_shown_imported_mended_and_undone(program: Program, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Symbol,Name\nAMD,AMD Inc.\nAAPL,Apple\nBINANCE:ETH,Ether\n")
    (tmp_path / "other.csv").write_text("Security,Price\nApple,190\n")
    (tmp_path / "list.txt").write_text("###Chips,NASDAQ:AVGO,NASDAQ:MU\n")
    shown = program("watchlist", "import", "list.csv")
    assert shown.code == 0, shown.err
    for said in ("not kept: name", "It would be skipped", "no exchange of US stocks"):
        assert said in " ".join(shown.out.split())
    [made] = json.loads(program("jobs", "--json").out)
    booked = program("job", "start", made["id"], "--rejects", "rejected.csv")
    assert booked.code == 1

    rejected = tmp_path / "rejected.csv"
    rejected.write_text(rejected.read_text().replace("BINANCE:ETH", "NYSE:ETH"))
    again = program("watchlist", "import", "rejected.csv", "--auto", "--json")
    assert (again.code, json.loads(again.out)["successful_rows"]) == (0, 1), again.err
    assert program("watchlist", "import", "list.txt", "--auto").code == 0
    assert program("watchlist", "import", "IBM", "ORCL", "--auto").code == 0
    assert program("job", "undo", made["id"]).code == 0
    watched = [each["ticker"] for each in json.loads(program("watchlist", "--json").out)]
    assert watched[10:] == ["ETH", "AVGO", "MU", "IBM", "ORCL"]

    nameless = program("watchlist", "import", "other.csv")
    assert (nameless.code, "no column ticker" in nameless.err) == (2, True)
    assert program("watchlist", "import", "none.csv").code == 2
    assert program("watchlist", "import").code == 2


def test_one_process_owns_a_sqlite_file(paperdesk: Program) -> None:
    refused = paperdesk("worker")
    assert refused.code == 2
    assert "PostgreSQL" in refused.err


def test_a_worker_books_beside_a_desk_and_stops_when_told(
    paperdesk: Program, postgres_url: str, tmp_path: Path
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url)
    worker = program.start("worker", log=tmp_path / "worker.log")
    try:
        assert worker.stdout
        assert any("The worker is ready" in line for line in worker.stdout)
        with serving(program) as served:
            program = program.with_environment(PAPERDESK_URL=served.url)
            rows = [{"ticker": "AAPL", "side": "buy", "quantity": "0.01"}] * 300
            (tmp_path / "many.json").write_text(json.dumps(rows))
            done = program("basket", "many.json", "--auto", "--json")
            assert json.loads(done.out)["successful_rows"] == 300, done.err
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
            after = program("basket", "many.json", "--auto", "--json")
            assert json.loads(after.out)["successful_rows"] == 300, after.err
    finally:
        worker.kill()
        worker.communicate()
