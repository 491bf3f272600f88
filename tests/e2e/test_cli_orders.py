"""`paperdesk order`, `orders`, `close` and `account`, against a desk that says what it is told."""

import json

import pytest

from support.fake_desk import DROP, FakeDesk
from support.program import Program

ORDER = """{
  "id": "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51", "client_order_id": "k", "ticker": "AAPL",
  "side": "buy", "type": "limit", "time_in_force": "gtc", "quantity": 10.5, "notional": null,
  "limit_price": 185.25, "stop_price": null, "status": "new", "filled_quantity": 0,
  "filled_avg_price": null, "submitted_at": "2026-11-22T02:59:58.624017Z", "legs": []
}"""
ACCOUNT = """{
  "id": "default", "name": "Default", "cash_balance": 10000, "realized_pnl": 0,
  "created_at": "2026-11-22T02:59:58.624017Z",
  "fill_model": {"spread_bps": 4, "slippage_bps": 0, "commission_per_share": 0,
    "commission_percent": 0, "commission_minimum": 0, "volume_percent": null},
  "cost_basis": "fifo", "short_selling": {
    "enabled": true, "margin_percent": 50, "maintenance_percent": 30, "borrow_percent": 2.5}
}"""


def asked(desk: FakeDesk) -> tuple[str, str, object]:
    one = desk.asked[-1]
    return one.method, one.path, json.loads(one.body) if one.body else None


def test_the_prices_make_the_type_of_an_order(cli: Program, desk: FakeDesk) -> None:
    plain = {"ticker": "AAPL", "side": "buy", "time_in_force": "day"}
    for arguments, body in (
        (["10", "--limit", "185"], {"type": "limit", "limit_price": "185", "quantity": "10"}),
        (["10", "--stop", "200"], {"type": "stop", "stop_price": "200", "quantity": "10"}),
        (
            ["1", "--stop", "200", "--limit", "201", "--tif", "gtc"],
            {
                "type": "stop_limit",
                "stop_price": "200",
                "limit_price": "201",
                "quantity": "1",
                "time_in_force": "gtc",
            },
        ),
        (
            ["1", "--trail", "2.5%"],
            {"type": "trailing_stop", "trail_percent": "2.5", "quantity": "1"},
        ),
        (["1", "--trail", "3"], {"type": "trailing_stop", "trail_price": "3", "quantity": "1"}),
        (["--notional", "500"], {"type": "market", "notional": "500"}),
        (
            ["1", "--take-profit", "210", "--stop-loss", "175"],
            {
                "type": "market",
                "quantity": "1",
                "order_class": "bracket",
                "take_profit": {"limit_price": "210"},
                "stop_loss": {"stop_price": "175"},
            },
        ),
        (
            ["1", "--limit", "210", "--stop-loss", "175", "--oco"],
            {
                "type": "limit",
                "limit_price": "210",
                "quantity": "1",
                "order_class": "oco",
                "stop_loss": {"stop_price": "175"},
            },
        ),
        (
            ["1", "--stop-loss", "175", "--extended"],
            {
                "type": "market",
                "quantity": "1",
                "extended_hours": True,
                "order_class": "oto",
                "stop_loss": {"stop_price": "175"},
            },
        ),
    ):
        desk.answers(ORDER)
        result = cli("order", "buy", "AAPL", *arguments)
        assert (result.code, result.err) == (0, ""), arguments
        assert asked(desk) == ("POST", "/api/orders", {**plain, **body})
        assert desk.asked[-1].headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("order buy AAPL 1 --oco", "--oco"),
        ("order buy AAPL 1 --oco --limit 5", "--stop-loss"),
        ("order buy AAPL 1 --oco --stop-loss 5", "--limit"),
        ("order buy AAPL 1 --oco --limit 9 --stop-loss 5 --stop 4", "--stop"),
        ("order buy AAPL 1 --oco --limit 9 --stop-loss 5 --take-profit 9", "--take-profit"),
        ("order buy AAPL 1 --trail 5 --limit 3", "--trail"),
        ("order buy AAPL 1 --trail 5 --stop 3", "--trail"),
        ("order buy AAPL 1 --trail 5 --oco --limit 3 --stop-loss 2", "--trail"),
        ("order buy AAPL 1 --stop-loss-limit 5", "--stop-loss"),
        ("orders cancel abc --ticker AAPL", "--ticker"),
        ("orders cancel abc --side buy", "--side"),
        ("split AAPL 4:1 --every-account --account a1", "--every-account"),
        ("orders --limit 0", "--limit"),
        ("trades --limit 501", "--limit"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_asked(
    cli: Program, desk: FakeDesk, arguments: str, said: str
) -> None:
    desk.answers(ORDER)
    result = cli(*arguments.split())
    assert (result.code, result.out, desk.asked) == (2, "", [])
    (line,) = result.err.splitlines()
    assert said in line


def test_a_stop_loss_may_have_a_limit(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ORDER)
    for exits in (["--take-profit", "210"], ["--limit", "210", "--oco"]):
        loss = ["--stop-loss", "175", "--stop-loss-limit", "174"]
        assert cli("order", "sell", "AAPL", "1", *exits, *loss).code == 0
        body = json.loads(desk.asked[-1].body)
        assert body["stop_loss"] == {"stop_price": "175", "limit_price": "174"}


def test_an_order_is_shown_as_a_line(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ORDER)
    lines = cli("order", "buy", "AAPL", "10.5", "--limit", "185.25").out.splitlines()
    assert lines[0].split() == [
        "Placed", "(UTC)", "Side", "Ticker", "Size", "Type", "Price", "Filled", "Status", "Id",
    ]  # fmt: skip
    assert lines[1].split() == [
        "2026-11-22", "02:59:58", "buy", "AAPL", "10.5", "limit", "gtc", "185.25", "0", "new",
        "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51",
    ]  # fmt: skip


def test_an_order_shows_its_terms_also_once_it_is_filled(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ORDER.replace('"filled_avg_price": null', '"filled_avg_price": 184.5'))
    header, row = cli("orders", "cancel", "x").out.splitlines()
    assert header.split()[-5:] == ["Filled", "Filled", "at", "Status", "Id"]
    assert row.split()[7:10] == ["185.25", "0", "184.50"]


def test_a_trailing_order_shows_to_which_side_it_trails(cli: Program, desk: FakeDesk) -> None:
    for terms, side, told in (
        ('"trail_price": 5', "buy", "+5.00"),
        ('"trail_price": 5', "sell", "-5.00"),
        ('"trail_percent": 2.5', "buy", "+2.5 %"),
    ):
        trailing = ORDER.replace('"limit_price": 185.25', terms).replace('"buy"', f'"{side}"')
        desk.answers(f"[{trailing}]")
        assert f" {told}  " in cli("orders").out


def test_open_orders_are_listed_canceled_and_replaced(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{ORDER}]")
    assert "185.25" in cli("orders").out
    assert asked(desk)[:2] == ("GET", "/api/orders?limit=20&status=open")
    desk.answers("[]")
    assert cli("orders").out == "No open orders.\n"

    reason = ORDER.replace('"legs": []', '"reason": "It was canceled."').replace("new", "canceled")
    desk.answers(reason)
    assert "It was canceled." in cli("orders", "cancel", "abc/1").out
    assert asked(desk) == ("DELETE", "/api/orders/abc%2F1", None)
    desk.answers(f"[{reason}]")
    assert len(cli("orders", "cancel", "--all", "--ticker", "AAPL").out.splitlines()) == 2
    assert asked(desk) == ("DELETE", "/api/orders?ticker=AAPL", None)
    assert cli("orders", "cancel").code == 2
    assert cli("orders", "cancel", "x", "--all").code == 2

    desk.answers(ORDER)
    cli("orders", "replace", "abc", "--limit", "180", "--quantity", "3")
    assert asked(desk) == ("PATCH", "/api/orders/abc", {"quantity": "3", "limit_price": "180"})
    assert desk.asked[-1].headers["Idempotency-Key"]
    assert cli("orders", "replace", "abc").code == 2


def test_a_position_is_closed(cli: Program, desk: FakeDesk) -> None:
    for arguments, body in (
        ([], {"cancel_orders": False}),
        (["50%"], {"cancel_orders": False, "percent": "50"}),
        (["2.5", "--cancel-orders"], {"cancel_orders": True, "quantity": "2.5"}),
    ):
        desk.answers(ORDER)
        assert cli("close", "AAPL", *arguments).code == 0
        assert asked(desk) == ("POST", "/api/positions/AAPL/close", body)


def test_all_positions_are_closed_where_that_is_confirmed(cli: Program, desk: FakeDesk) -> None:
    refused = '{"status": "refused", "problem": {"detail": "Selling MSFT is refused."}}'
    desk.answers(f'{{"results": [{{"status": "placed", "order": {ORDER}}}, {refused}]}}')

    unasked = cli("close", "--all")
    assert (unasked.code, desk.asked) == (2, [])
    assert "--yes" in unasked.err
    some = cli("close", "--all", "--yes", "--cancel-orders")
    assert asked(desk) == ("DELETE", "/api/positions?cancel_orders=true", None)
    assert some.code == 1
    assert "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51" in some.out
    assert some.out.endswith("Refused: Selling MSFT is refused.\n")

    desk.answers('{"results": []}')
    none = cli("close", "--all", "--yes")
    assert (none.code, none.out) == (0, "There are no positions.\n")
    assert asked(desk)[1] == "/api/positions"
    desk.answers(DROP)
    lost = cli("close", "--all", "--yes")
    assert lost.code == 1
    assert "it is not known whether it was done" in lost.err

    before = len(desk.asked)
    for wrong in ([], ["AAPL", "--all"], ["--all", "--lots", "1"], ["--all", "--note", "x"]):
        assert cli("close", *wrong, "--yes").code == 2
    assert len(desk.asked) == before


def test_orders_and_trades_are_asked_for_by_strategy_and_source(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers("[]")
    for command, status in (("orders", "&status=open"), ("trades", "")):
        told = cli(command, "--strategy", "value", "--source", "replay")
        assert asked(desk)[1] == f"/api/{command}?limit=20{status}&strategy=value&source=replay"
        assert told.out.endswith("match.\n")


def test_accounts_are_shown_opened_and_changed(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{ACCOUNT}]")
    assert "spread bps 4" in cli("account").out
    desk.answers(ACCOUNT)
    cli("account", "create", "Momentum", "--cash", "25000")
    assert asked(desk) == (
        "POST",
        "/api/accounts",
        {"name": "Momentum", "cash_balance": "25000"},
    )
    desk.answers(ACCOUNT)
    cli("account", "change", "default", "--spread", "4", "--minimum", "1")
    assert asked(desk) == (
        "PATCH",
        "/api/accounts/default",
        {"fill_model": {"spread_bps": "4", "commission_minimum": "1"}},
    )
    desk.answers(ACCOUNT)
    cli("account", "change", "default", "--cost-basis", "fifo", "--short", "--margin", "75")
    assert asked(desk)[2] == {
        "cost_basis": "fifo",
        "short_selling": {"enabled": True, "margin_percent": "75"},
    }
    desk.answers(ACCOUNT)
    cli("account", "change", "default", "--short", "--maintenance", "40", "--borrow", "2.5")
    terms = {"enabled": True, "maintenance_percent": "40", "borrow_percent": "2.5"}
    assert asked(desk)[2] == {"short_selling": terms}
    assert cli("account", "change", "default").code == 2
    assert cli("account", "change", "default", "--margin", "75").code == 2


def test_accounts_are_named_by_their_id_alone(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ACCOUNT)
    for arguments in (
        ["create", "Momentum"],
        ["change", "default", "--spread", "4"],
        ["clone", "default", "What if"],
        ["reset", "default", "--yes"],
        [],
    ):
        refused = cli("account", *arguments, "--account", "other")
        assert (refused.code, desk.asked) == (2, [])
        assert "--account" in refused.err


def test_the_terms_of_short_selling_are_shown_where_it_is_on(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{ACCOUNT}]")
    assert "margin 50 %, maintenance 30 %, borrow 2.5 %" in cli("account").out
    desk.answers(f"[{ACCOUNT.replace('true', 'false')}]")
    assert "margin 50" not in cli("account").out


def test_accounts_are_cloned_and_reset(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ACCOUNT)
    cli("account", "clone", "default", "What if", "--no-positions", "--cash", "50000")
    assert asked(desk) == (
        "POST",
        "/api/accounts/default/clone",
        {"name": "What if", "positions": False, "cash_balance": "50000"},
    )
    desk.answers(ACCOUNT)
    assert "Default" in cli("account", "reset", "default", "--note", "again", "--yes").out
    assert asked(desk) == ("POST", "/api/accounts/default/reset", {"note": "again"})
    assert desk.asked[-1].headers["Idempotency-Key"]
    asked_before = len(desk.asked)
    refused = cli("account", "reset", "default")
    assert (refused.code, len(desk.asked)) == (2, asked_before)
    assert "--yes" in refused.err


def test_lots_are_named_by_their_numbers(cli: Program, desk: FakeDesk) -> None:
    desk.answers(ORDER)
    cli("order", "sell", "AAPL", "5", "--lots", "12,7")
    assert asked(desk)[2]["lots"] == [12, 7]  # type: ignore[index]
    desk.answers(ORDER)
    cli("close", "AAPL", "--lots", "3")
    assert asked(desk)[2]["lots"] == [3]  # type: ignore[index]
    assert cli("close", "AAPL", "--lots", "a").code == 2
