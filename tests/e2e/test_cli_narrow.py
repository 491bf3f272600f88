"""What a terminal of few columns shows: never a figure or an id that is cut."""

import os
import pty
import re
import subprocess

import pytest

from support.fake_desk import ENTRIES, PORTFOLIO, TRADE, FakeDesk
from support.program import COMMAND, Program

STYLE = re.compile(r"\x1b\[[0-9;]*m")
ID = "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"
ORDER = f"""{{"id": "{ID}", "ticker": "AAPL", "side": "buy", "type": "stop_limit",
"time_in_force": "gtc", "quantity": 1250.5, "stop_price": 1185.25, "limit_price": 1186.125,
"status": "partially_filled", "filled_quantity": 1000.25, "filled_avg_price": 1185.987654321,
"submitted_at": "2026-11-22T02:59:58.624017Z", "legs": []}}"""
ACCOUNT = f"""{{"id": "{ID}", "name": "Long term", "cash_balance": 1234567.891234,
"created_at": "2026-11-22T02:59:58.624017Z", "fill_model": {{"spread_bps": 4, "slippage_bps": 2,
"commission_per_share": 0.005, "commission_minimum": 1, "volume_percent": null}},
"cost_basis": "fifo", "short_selling": {{"enabled": true, "margin_percent": 50,
"maintenance_percent": 30, "borrow_percent": 2.5}}}}"""


SIGNAL_ID = "9f3c1e7ab2d4506887e1f0c2d3b4a5968778695a4b3c2d1e0f9e8d7c6b5a4938"
SIGNAL = f"""{{"signal_id": "{SIGNAL_ID}", "account_id": "default", "webhook_id": "{ID}",
"status": "rejected", "processed": true, "ticker": "AAPL", "raw": null, "understood": {{
"intent": "target", "target": -1234.567890123}}, "order_id": "{ID}", "outcome": null,
"error": "The order opens $12,345.67, and $1,000.00 is the most for one order.", "missed": null,
"attempts": 1, "duplicates": 12, "received_at": "2026-11-22T02:59:58.624017Z"}}"""
WEBHOOK = f"""{{"id": "{ID}", "account_id": "default", "name": "Breakout on TradingView",
"mode": "execute", "enabled": true, "strategy": "momentum", "signs": false, "settings": {{}},
"limits": {{"tickers": ["AAPL", "MSFT"], "max_position_notional": 1234567.891234}},
"created_at": "2026-11-22T02:59:58.624017Z"}}"""


def on_terminal(cli: Program, columns: int, *arguments: str) -> list[str]:
    """Return the lines that a terminal of so many columns shows."""
    ours, theirs = pty.openpty()
    environment = os.environ | cli.environment | {"TERM": "xterm", "COLUMNS": str(columns)}
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cli.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")
    return [line.rstrip() for line in STYLE.sub("", shown).splitlines()]


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize(
    ("command", "answer", "wanted"),
    [
        ("portfolio", PORTFOLIO, ["46.5", "$8,901.25", "+12.50"]),
        ("orders", f"[{ORDER}]", ["buy", "1,250.5", "1,185.987654321", "partially_filled", ID]),
        ("trades", f"[{TRADE}]", ["buy", "10", "190.123456789"]),
        ("journal", ENTRIES, ["withdrawal", "-$200.50", "$1,901.23"]),
        ("account", f"[{ACCOUNT}]", ["$1,234,567.89", ID, "fifo"]),
        ("webhook list", f"[{WEBHOOK}]", ["1234567.891234", ID, "execute"]),
        ("webhook show x", WEBHOOK, ["1234567.891234", ID, "execute"]),
        ("signals", f"[{SIGNAL}]", ["AAPL", "rejected", "$12,345.67,"]),
    ],
)
def test_no_figure_and_no_id_is_cut(
    cli: Program, desk: FakeDesk, columns: int, command: str, answer: str, wanted: list[str]
) -> None:
    desk.answers(answer)

    lines = on_terminal(cli, columns, *command.split())

    assert max(map(len, lines)) <= columns
    assert [word for word in wanted if word not in " ".join(lines).split()] == []


@pytest.mark.parametrize("columns", [60, 80])
def test_an_id_that_fits_in_no_line_is_folded(cli: Program, desk: FakeDesk, columns: int) -> None:
    desk.answers(f"[{SIGNAL}]")

    lines = on_terminal(cli, columns, "signals")

    assert SIGNAL_ID in "".join(line.strip() for line in lines)


def test_what_is_left_out_is_named(cli: Program, desk: FakeDesk) -> None:
    desk.answers(PORTFOLIO)

    assert "No room for: Average cost, %." in on_terminal(cli, 60, "portfolio")
    assert "No room" not in " ".join(on_terminal(cli, 80, "portfolio"))
