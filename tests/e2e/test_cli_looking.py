"""`paperdesk portfolio`, `trades`, `watchlist` and `prices` against a fake desk."""

import json
import subprocess
import sys
from urllib.parse import unquote

import pytest

from support.fake_desk import (
    BOOKED,
    CURVE,
    EMPTY_PORTFOLIO,
    ENTRIES,
    MOVED,
    MOVEMENT,
    PERFORMANCE,
    PORTFOLIO,
    TRADE,
    FakeDesk,
    Reply,
    problem,
)
from support.program import Program

QUOTE = """{"ticker": "AAPL", "price": 190.10, "previous_price": 190.2, "change": -0.1,
"change_percent": -0.0526, "timestamp": "2026-11-20T15:00:00.000000Z", "added_at": null}"""
UNPRICED = '{"ticker": "ZZZ", "price": null, "change": null, "change_percent": null}'


def test_the_portfolio_is_a_table_without_colours_in_a_pipe(cli: Program, desk: FakeDesk) -> None:
    desk.answers(PORTFOLIO)

    result = cli("portfolio")

    assert result.code == 0
    assert "\x1b" not in result.out
    row = next(line for line in result.out.splitlines() if line.startswith("AAPL"))
    assert row.split() == [
        "AAPL",
        "46.5",
        "191.155914",
        "191.424731183",
        "$8,901.25",
        "+12.50",
        "+0.14",
        "%",
    ]
    assert "$10,000.00" in result.out
    assert "-3.10" in result.out


def test_what_orders_set_aside_is_shown_where_there_is_any(cli: Program, desk: FakeDesk) -> None:
    aside = PORTFOLIO.replace('"available_quantity": 46.5', '"available_quantity": 40.5')
    desk.answers(aside.replace('"buying_power": 1098.8', '"buying_power": 98.8'), PORTFOLIO)

    lines = cli("portfolio").out.splitlines()
    without = cli("portfolio").out

    assert lines[0].split()[:3] == ["Ticker", "Shares", "Available"]
    assert lines[1].split()[:3] == ["AAPL", "46.5", "40.5"]
    assert ["Buying", "power", "$98.80"] in [line.split() for line in lines]
    assert "Available" not in without
    assert "Buying" not in without


ATTRIBUTION = """{"by": "strategy", "start": "2026-10-20T15:00:00Z", "end":
"2026-11-20T15:00:00Z", "profit": 9, "parts": [{"name": "momentum", "profit": 12.5,
"realized_pnl": 5, "income": 1.25, "fees": 2, "end_value": 1200.5, "trades": 3},
{"name": null, "profit": -2.5, "realized_pnl": 0, "income": 0, "fees": 0, "end_value": 0,
"trades": 1}], "rest": {"profit": -1, "income": 0, "fees": 1, "end_value": 0}, "unpriced": []}"""


def test_an_empty_portfolio_says_what_to_do_next(cli: Program, desk: FakeDesk) -> None:
    desk.answers(EMPTY_PORTFOLIO)

    assert "paperdesk buy AAPL 10" in cli("portfolio").out


def test_prices_that_are_not_current_are_named(cli: Program, desk: FakeDesk) -> None:
    desk.answers(PORTFOLIO.replace('"unpriced": []', '"unpriced": ["AAPL"]'))

    assert "No current price for AAPL" in cli("portfolio").out


def test_performance_is_a_table_with_its_curve_and_contributions(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(PERFORMANCE, CURVE)

    result = cli("performance", "--range", "1y", "--benchmark", "SPY")

    assert [asked.path for asked in desk.asked] == [
        "/api/portfolio/performance?range=1y&benchmark=SPY",
        "/api/portfolio/history?range=1y&points=60",
    ]
    rows = {line[:26].strip(): line[26:].split() for line in result.out.splitlines()}
    assert "$10,000.00 ▁▅█ $12,710.24" in result.out
    assert rows["Profit"] == ["+2,210.24"]
    assert rows["Return"] == ["+21.05", "%"]
    assert rows["Return, time-weighted"] == ["+22.13", "%"]
    assert rows["Deepest fall"] == ["-6.90", "%"]
    assert rows["Volatility a year"] == ["13.59", "%"]
    assert rows["Growth a year"] == rows["Worst day"] == rows["Alpha a year"] == ["-"]
    assert rows["Best day 2026-09-09"] == ["+2.44", "%"]
    assert rows["Beta to SPY"] == ["0.67"]
    contributions = result.out.partition("Ticker")[2].splitlines()
    assert contributions[1].split() == ["AAPL", "+1,616.68", "+15.40", "%"]
    assert contributions[3].split() == ["Income", "less", "fees", "+7.80", "+0.07", "%"]
    assert "a trade's own price stood in" in result.out
    assert "No current price for MSFT" in result.out


def test_attribution_is_a_table_of_parts(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ATTRIBUTION)

    out = cli("attribution", "--range", "1m").out

    assert desk.asked[-1].path == "/api/portfolio/attribution?by=strategy&range=1m"
    rows = [line.split() for line in out.splitlines()]
    assert ["momentum", "+12.50", "+5.00", "+1.25", "-2.00", "$1,200.50", "3"] in rows
    assert ["(none)", "-2.50", "0.00", "0.00", "0.00", "$0.00", "1"] in rows
    assert ["The", "rest", "-1.00", "0.00", "-1.00", "$0.00"] in rows
    assert ["Account", "+9.00"] in rows


def test_performance_of_a_part_has_no_curve_and_json_has_every_digit(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(PERFORMANCE)

    part = cli("performance", "--strategy", "momentum")
    exact = cli("performance", "--json")

    assert [asked.path for asked in desk.asked] == [
        "/api/portfolio/performance?strategy=momentum",
        "/api/portfolio/performance",
    ]
    assert "▁" not in part.out
    assert '"end_value": 12710.240001,' in exact.out


def test_performance_is_asked_for_by_source_and_time(cli: Program, desk: FakeDesk) -> None:
    desk.answers(PERFORMANCE, CURVE)
    since, until = "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"

    cli("performance", "--start", since, "--end", until)
    cli("performance", "--source", "replay")
    both = cli("performance", "--range", "1y", "--start", since)

    assert [unquote(asked.path) for asked in desk.asked] == [
        f"/api/portfolio/performance?start={since}&end={until}",
        f"/api/portfolio/history?start=2025-11-20T15:00:00Z&end={until}&points=60",
        "/api/portfolio/performance?source=replay",
    ]
    assert both.code == 2


def test_the_curve_is_plain_where_blocks_cannot_be_printed(cli: Program, desk: FakeDesk) -> None:
    desk.answers(PERFORMANCE, CURVE)

    result = cli("performance", PYTHONIOENCODING="ascii")

    assert (result.code, result.err) == (0, "")
    assert "$10,000.00 _=# $12,710.24" in result.out


@pytest.mark.parametrize(
    ("command", "answer", "hint"),
    [
        ("trades", "[]", "paperdesk buy AAPL 10"),
        ("cash", "[]", "paperdesk cash deposit"),
        ("watchlist", "[]", "paperdesk watchlist add"),
        ("prices", "[]", "paperdesk watchlist add"),
    ],
)
def test_an_empty_list_says_what_to_do_next(
    cli: Program, desk: FakeDesk, command: str, answer: str, hint: str
) -> None:
    desk.answers(answer)

    result = cli(command)

    assert result.code == 0
    assert hint in result.out


def test_trades_are_asked_for_with_the_filters(cli: Program, desk: FakeDesk) -> None:
    desk.answers(Reply(f"[{TRADE}]", headers={"Link": '</api/trades?before=1>; rel="next"'}))

    result = cli("trades", "--ticker", "AAPL", "--side", "buy", "--limit", "1")

    assert desk.asked[0].path == "/api/trades?limit=1&ticker=AAPL&side=buy"
    assert "2026-11-20 15:00:00" in result.out
    assert "$1,901.23" in result.out
    assert "There are older ones" in result.out


def test_all_trades_are_every_page_with_every_digit(cli: Program, desk: FakeDesk) -> None:
    more = {"Link": '</api/trades?limit=500&before=1>; rel="next"'}
    desk.answers(Reply(f"[{TRADE}]", headers=more), f"[{TRADE.replace('t1', 't2')}]")

    result = cli("trades", "--all", "--json")

    assert [trade["id"] for trade in json.loads(result.out)] == ["t1", "t2"]
    assert result.out.count("190.123456789") == 2
    assert desk.asked[1].path == "/api/trades?limit=500&before=1"


def test_cash_is_shown_with_its_sign(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{MOVEMENT}]")

    result = cli("cash", "--kind", "withdrawal", "--limit", "5")

    assert desk.asked[0].path == "/api/cash?limit=5&kind=withdrawal"
    row = result.out.splitlines()[1].split()
    assert row == ["2026-11-20", "15:00:00", "withdrawal", "-200.50", "rent"]


def test_the_journal_shows_every_kind_of_entry(cli: Program, desk: FakeDesk) -> None:
    more = {"Link": '</api/journal?limit=500&cursor=2>; rel="next"'}
    trade, movement = (json.dumps([entry]) for entry in json.loads(ENTRIES))
    desk.answers(ENTRIES, Reply(trade, headers=more), movement)

    lines = cli("journal", "--ticker", "AAPL").out.splitlines()
    all_of_it = cli("journal", "--all", "--json")

    assert desk.asked[0].path == "/api/journal?limit=20&ticker=AAPL"
    number, *_, ticker, shares, value, digest = lines[1].split()
    assert (number, ticker, shares, value, digest) == ("3", "AAPL", "10", "$1,901.23", "cd" * 8)
    assert lines[2].split()[-3:] == ["withdrawal", "-$200.50", "ab12"]
    assert [entry["sequence"] for entry in json.loads(all_of_it.out)] == [3, 2]


def test_the_journal_shows_a_ratio_and_a_new_name(cli: Program, desk: FakeDesk) -> None:
    entry = """{"table": "position_adjustments", "sequence": 4, "hash": "ab", "ticker": "FB",
    "effective_at": "2026-11-20T15:00:00Z", "quantity": 30, "cost_basis": 0, "amount": 0,
    "kind": "KIND", "new_ticker": NEW, "numerator": UP, "denominator": DOWN}"""
    for kind, new, up, down, told in (
        ("split", "null", "4", "1", "split 4:1"),
        ("symbol_change", '"META"', "null", "null", "symbol_change META"),
        ("spin_off", '"GEV"', "1", "4", "spin_off GEV 1:4"),
    ):
        filled = entry.replace("KIND", kind).replace("NEW", new).replace("UP", up)
        desk.answers(f"[{filled.replace('DOWN', down)}]")
        assert f"  {told}  FB  " in cli("journal").out


def test_the_watchlist_shows_what_is_not_priced_yet(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{QUOTE}, {UNPRICED}]")

    lines = cli("watchlist").out.splitlines()

    assert lines[1].split() == ["AAPL", "190.10", "-0.10", "-0.05", "%"]
    assert "not priced yet" in lines[2]


def test_the_watchlist_is_changed_by_name(cli: Program, desk: FakeDesk) -> None:
    desk.answers(Reply(QUOTE, 201), Reply(status=204))

    added = cli("watchlist", "add", "AAPL")
    removed = cli("watchlist", "remove", "a/b")

    assert added.out == "AAPL is on the watchlist (now 190.10).\n"
    assert removed.out == "A/B is off the watchlist.\n"
    assert [(asked.method, asked.path) for asked in desk.asked] == [
        ("POST", "/api/watchlist"),
        ("DELETE", "/api/watchlist/a%2Fb"),
    ]


def test_prices_of_some_stocks_are_one_array(cli: Program, desk: FakeDesk) -> None:
    desk.answers(QUOTE, QUOTE.replace("AAPL", "MSFT"))

    result = cli("prices", "AAPL", "MSFT", "--json")

    assert [quote["ticker"] for quote in json.loads(result.out)] == ["AAPL", "MSFT"]
    assert '"price": 190.10,' in result.out
    assert [asked.path for asked in desk.asked] == ["/api/prices/AAPL", "/api/prices/MSFT"]


def test_watching_prints_a_line_a_change(cli: Program, desk: FakeDesk) -> None:
    events = "".join(
        f'data: {{"AAPL": {{"ticker": "AAPL", "price": {price}, "change": 0.5}}, '
        f'"MSFT": {{"ticker": "MSFT", "price": 1}}}}\n\n'
        for price in ("190.10", "190.10", "190.60")
    )
    stream = Reply(f"retry: 1000\n\n{events}", headers={"Content-Type": "text/event-stream"})
    desk.answers(stream, problem(409, "INVALID_STATE", "Enough."))

    lines = cli("prices", "aapl", "--watch")
    desk.answers(stream, problem(409, "INVALID_STATE", "Enough."))
    exact = cli("prices", "AAPL", "--watch", "--json")

    assert lines.out.splitlines() == ["AAPL 190.10 +0.50", "AAPL 190.60 +0.50"]
    assert lines.err == "paperdesk: Enough. [INVALID_STATE]\n"
    assert exact.out.splitlines()[0] == (
        '{"AAPL":{"ticker": "AAPL", "price": 190.10, "change": 0.5}}'
    )


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["buy", "AAPL", "1"], BOOKED),
        (["sell", "AAPL", "1"], BOOKED),
        (["portfolio"], PORTFOLIO),
        (["performance", "--ticker", "AAPL"], PERFORMANCE),
        (["trades"], f"[{TRADE}]"),
        (["journal"], ENTRIES),
        (["cash"], f"[{MOVEMENT}]"),
        (["cash", "withdraw", "1"], MOVED),
        (["watchlist"], f"[{QUOTE}]"),
        (["prices"], f"[{QUOTE}]"),
    ],
)
def test_commands_that_speak_http_load_neither_framework_nor_orm(
    cli: Program, desk: FakeDesk, arguments: list[str], answer: str
) -> None:
    desk.answers(answer)
    code = (
        "import sys\nfrom paperdesk.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'fastapi', 'starlette', 'sqlalchemy', 'alembic', 'uvicorn'} & set(sys.modules)\n"
        "sys.exit(','.join(heavy) or 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=cli.environment,
        cwd=cli.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_error(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{','.join([TRADE] * 3000)}]")

    with cli.start("trades") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
