"""`paperdesk rankings`, `stock` and `domain`, against a desk that runs."""

import json
import time
from collections.abc import Iterator

import pytest

from support.program import Program
from support.served import serving


@pytest.fixture
def cli(paperdesk: Program) -> Iterator[Program]:
    with serving(paperdesk) as desk:
        yield paperdesk.with_environment(PAPERDESK_URL=desk.url)


def test_a_new_desk_ranks_within_a_minute_and_takes_what_is_added(cli: Program) -> None:
    deadline = time.monotonic() + 60
    while not (shown := json.loads(cli("rankings", "--json").out))["best_overall"]:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert [each["domain"] for each in shown["domains"]] == ["AI/Tech", "EV", "Finance"]
    assert all(
        each["score"] is not None and each["close_price"] > 0
        for domain in shown["domains"]
        for each in domain["top"]
    )

    table = cli("rankings")
    assert table.code == 0
    assert table.out.split()[:3] == ["Domain", "Rank", "Ticker"]
    assert "Best overall: " in table.out
    assert "from simulator." in table.out

    said = [
        cli("domain", "add", "Energy/Oil"),
        cli("stock", "add", "xom", "--domain", "Energy/Oil", "--name", "Exxon Mobil"),
        cli("stock", "list", "--domain", "Energy/Oil"),
        cli("rankings", "Energy/Oil", "--limit", "3"),
        cli("domain", "list"),
        cli("stock", "remove", "XOM"),
        cli("domain", "remove", "Energy/Oil"),
    ]
    assert {each.code for each in said} == {0}
    assert said[0].out == "There is the domain Energy/Oil, with 0 stock(s).\n"
    assert said[1].out == "XOM (Exxon Mobil) is in Energy/Oil.\n"
    assert said[2].out.splitlines()[1].split()[:3] == ["XOM", "Exxon", "Mobil"]
    assert "XOM" in said[3].out
    assert ["Energy/Oil", "1"] in [line.split() for line in said[4].out.splitlines()]
    assert said[5].out == "XOM is followed no longer.\n"
    assert said[6].out == "The domain Energy/Oil is removed.\n"


def test_stocks_are_scored_when_somebody_asks(cli: Program) -> None:
    one = cli("rescore", "EV", "--json")
    assert (one.code, json.loads(one.out)["successful_rows"]) == (0, 1), one.err
    before = json.loads(cli("rankings", "Finance", "--json").out)["last_fetched"]
    assert cli("rescore").code == 0
    after = json.loads(cli("rankings", "Finance", "--json").out)["last_fetched"]
    assert after > (before or "")
    assert cli("rescore", "AI/Tech", "Energy").code == 1


def test_what_cannot_be_done_is_one_line(cli: Program) -> None:
    full = cli("domain", "remove", "EV")
    unknown = cli("rankings", "Energy", "--json")
    nameless = [cli("domain", "remove", "/"), cli("stock", "remove", " "), cli("rankings", "")]

    assert (full.code, full.err.count("\n")) == (1, 1)
    assert "INVALID_STATE" in full.err
    assert (unknown.code, json.loads(unknown.out)["code"]) == (1, "NOT_FOUND")
    assert [each.code for each in nameless] == [2, 2, 2]
    assert cli("rankings", "--limit", "3").code == 2
    assert cli("stock", "add", "AAPL").code == 2


def test_json_is_what_the_desk_said(cli: Program) -> None:
    stocks = json.loads(cli("stock", "list", "--all", "--json").out)
    domains = json.loads(cli("domain", "list", "--json").out)
    added = json.loads(cli("stock", "add", "TSLA", "--domain", "AI/Tech", "--json").out)

    assert len(stocks) == 9
    assert [each["name"] for each in domains] == ["AI/Tech", "EV", "Finance"]
    assert (added["ticker"], added["domain"]) == ("TSLA", "AI/Tech")
    assert json.loads(cli("stock", "remove", "TSLA", "--json").out)["removed"] is True
