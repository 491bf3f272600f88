"""What a desk knew is there after it was killed; `tests/crash` kills it in worse moments."""

import os
import signal
from decimal import Decimal
from pathlib import Path

import httpx2

from support.program import Program
from support.served import serving


def test_a_restart_finds_everything_as_it_was(paperdesk: Program) -> None:
    paths = ["/api/portfolio/history", "/api/trades", "/api/watchlist", "/api/portfolio"]
    with serving(paperdesk) as served, httpx2.Client(base_url=served.url, timeout=10) as http:
        http.post("/api/watchlist", json={"ticker": "PYPL"})
        http.delete("/api/watchlist/NFLX")
        for side, quantity in (("buy", "3.000000001"), ("sell", "1")):
            body = {"ticker": "AAPL", "side": side, "quantity": quantity}
            assert http.post("/api/portfolio/trade", json=body).status_code == 200
        before = [http.get(path).json() for path in paths]
        os.kill(served.process.pid, signal.SIGKILL)

    with serving(paperdesk) as served, httpx2.Client(base_url=served.url, timeout=10) as http:
        after = [http.get(path).json() for path in paths]

    assert after[0][: len(before[0])] == before[0]
    assert after[1] == before[1]
    assert [row["ticker"] for row in after[2]] == [row["ticker"] for row in before[2]]
    for field in ("cash_balance", "realized_pnl"):
        assert after[3][field] == before[3][field]
    (held,) = after[3]["positions"]
    assert (held["ticker"], Decimal(str(held["quantity"]))) == ("AAPL", Decimal("2.000000001"))
    assert {row["price"] is not None for row in after[2]} == {True}


def test_the_default_database_lies_in_the_users_data_folder(
    paperdesk: Program, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    program = Program(tmp_path, {"XDG_DATA_HOME": str(home)})
    with serving(program) as served:
        assert httpx2.get(f"{served.url}/api/health").json()["status"] == "ok"

    assert (home / "paperdesk" / "paperdesk.db").stat().st_mode & 0o777 == 0o600
    assert paperdesk.folder == tmp_path
