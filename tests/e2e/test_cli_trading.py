"""`paperdesk buy`, `sell` and `cash` against a desk that misbehaves on demand."""

import json
from decimal import Decimal

import pytest

from support.fake_desk import BOOKED, DROP, MOVED, TRADE, FakeDesk, Reply, problem
from support.program import Program


def test_a_trade_is_asked_for_as_it_was_typed(cli: Program, desk: FakeDesk) -> None:
    desk.answers(BOOKED)

    result = cli(
        "buy", "brk.b", "0.50", "--strategy", "value", "--note", "first", "--account", "a1"
    )

    assert (result.code, result.err) == (0, "")
    (asked,) = desk.asked
    assert (asked.method, asked.path) == ("POST", "/api/portfolio/trade")
    assert json.loads(asked.body) == {
        "ticker": "brk.b",
        "side": "buy",
        "quantity": "0.50",
        "strategy": "value",
        "note": "first",
    }
    assert asked.headers["X-Account"] == "a1"
    assert asked.headers["Idempotency-Key"]
    assert "Authorization" not in asked.headers


def test_a_booked_trade_is_told_in_two_plain_lines(cli: Program, desk: FakeDesk) -> None:
    desk.answers(BOOKED)

    result = cli("buy", "AAPL", "10")

    assert result.out.splitlines() == [
        "Bought 10 AAPL at 190.123456789 for $1,901.23.",
        "Cash $1,098.80, total $10,000.00.",
    ]


def test_a_sale_tells_what_was_realised(cli: Program, desk: FakeDesk) -> None:
    desk.answers(
        BOOKED.replace('"side": "buy"', '"side": "sell"').replace(
            '"fee": 0, "realized_pnl": 0', '"fee": 1, "realized_pnl": -2.5'
        )
    )

    result = cli("sell", "AAPL", "10")

    assert "Sold 10 AAPL at 190.123456789 for $1,901.23, fee $1.00, realised -2.50." in result.out
    assert json.loads(desk.asked[0].body)["side"] == "sell"


def test_json_keeps_every_digit(cli: Program, desk: FakeDesk) -> None:
    exact = BOOKED.replace("190.123456789", "1234567890123.123456789").replace("9.8000", "9.80001")
    desk.answers(exact)

    result = cli("buy", "AAPL", "10", "--json")

    assert "1234567890123.123456789" in result.out
    given, printed = (json.loads(text, parse_float=Decimal) for text in (exact, result.out))
    assert given == printed
    assert result.out.startswith('{\n  "cash_balance": 1098.80')


def test_cash_is_moved_as_it_was_typed_and_told_in_two_lines(cli: Program, desk: FakeDesk) -> None:
    desk.answers(MOVED)

    out = cli("cash", "withdraw", "200.500", "--note", "rent", "--key", "mine-1", "--account", "a1")
    cli("cash", "deposit", "5")

    assert (out.code, out.err) == (0, "")
    assert out.out.splitlines() == ["Withdrew $200.50.", "Cash $9,799.50."]
    asked, other = desk.asked
    assert (asked.method, asked.path) == ("POST", "/api/cash")
    assert json.loads(asked.body) == {"kind": "withdrawal", "amount": "200.500", "note": "rent"}
    assert (asked.headers["X-Account"], asked.headers["Idempotency-Key"]) == ("a1", "mine-1")
    assert json.loads(other.body) == {"kind": "deposit", "amount": "5"}
    assert other.headers["Idempotency-Key"] != "mine-1"


def test_fees_and_interest_are_booked(cli: Program, desk: FakeDesk) -> None:
    for kind, told in (
        ("fee", "Booked a fee of $5.00."),
        ("interest", "Booked interest of $5.00."),
    ):
        desk.answers(MOVED.replace("withdrawal", kind).replace("200.5", "5.0"))
        result = cli("cash", kind, "5", "--note", "why")
        assert result.out.splitlines() == [told, "Cash $9,799.50."]
        asked = desk.asked[-1]
        assert (asked.method, asked.path) == ("POST", "/api/cash")
        assert json.loads(asked.body) == {"kind": kind, "amount": "5", "note": "why"}
        assert asked.headers["Idempotency-Key"]


def test_a_lost_answer_moves_no_cash_twice(cli: Program, desk: FakeDesk) -> None:
    desk.answers(DROP, Reply(MOVED, 201, headers={"Idempotent-Replayed": "true"}))

    result = cli("cash", "withdraw", "200.5")

    assert result.out.splitlines()[0] == "Withdrew $200.50. (Booked before, with the same key.)"
    assert len(desk.asked) == 2
    assert len({asked.headers["Idempotency-Key"] for asked in desk.asked}) == 1


@pytest.mark.parametrize("trouble", [DROP, problem(503, "UNKNOWN_OUTCOME", "Broke off.")])
def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    cli: Program, desk: FakeDesk, trouble: Reply
) -> None:
    desk.answers(trouble, trouble, Reply(BOOKED, headers={"Idempotent-Replayed": "true"}))

    result = cli("buy", "AAPL", "10")

    assert (result.code, result.err) == (0, "")
    assert "Booked before, with the same key" in result.out
    assert len(desk.asked) == 3
    assert len({asked.headers["Idempotency-Key"] for asked in desk.asked}) == 1


def test_two_commands_never_share_a_key(cli: Program, desk: FakeDesk) -> None:
    desk.answers(BOOKED)

    cli("buy", "AAPL", "10")
    cli("buy", "AAPL", "10")

    assert len({asked.headers["Idempotency-Key"] for asked in desk.asked}) == 2


def test_a_desk_that_never_answers_leaves_the_key_to_ask_again(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(DROP)

    result = cli("buy", "AAPL", "10", "--key", "mine-1")

    assert result.code == 1
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert "Ask again with --key mine-1" in result.err
    assert {asked.headers["Idempotency-Key"] for asked in desk.asked} == {"mine-1"}
    assert len(desk.asked) == 4


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(409, "INSUFFICIENT_CASH", 1), (422, "INVALID_REQUEST", 2), (404, "UNKNOWN_TICKER", 1)],
)
def test_a_refusal_is_one_line_with_its_code(
    cli: Program, desk: FakeDesk, status: int, code: str, exit_code: int
) -> None:
    desk.answers(problem(status, code, "That cannot be done."))

    result = cli("buy", "AAPL", "-1")

    assert result.code == exit_code
    assert result.out == ""
    assert result.err == f"paperdesk: That cannot be done. [{code}]\n"
    assert len(desk.asked) == 1


def test_a_refusal_is_json_where_json_was_asked_for(cli: Program, desk: FakeDesk) -> None:
    refusal = problem(409, "INSUFFICIENT_CASH", "You lack 3.50.")
    desk.answers(refusal)

    result = cli("buy", "AAPL", "10", "--json")

    assert result.code == 1
    assert json.loads(result.out) == json.loads(refusal.text)
    assert "INSUFFICIENT_CASH" in result.err


def test_the_key_of_the_settings_opens_the_desk_and_is_not_shown(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(problem(401, "UNAUTHENTICATED", "A key is needed."))

    result = cli("buy", "AAPL", "1", PAPERDESK_API_KEY="secret-key")

    assert desk.asked[0].headers["Authorization"] == "Bearer secret-key"
    assert "secret-key" not in result.out + result.err
    assert "PAPERDESK_API_KEY" in result.err


@pytest.mark.parametrize("as_json", [False, True])
def test_without_a_desk_it_says_how_to_start_one(paperdesk: Program, *, as_json: bool) -> None:
    result = paperdesk("buy", "AAPL", "10", *(["--json"] if as_json else []))

    assert result.code == 5
    assert len(result.err.splitlines()) == 1
    assert "paperdesk serve" in result.err
    assert "PAPERDESK_URL" in result.err
    assert (json.loads(result.out)["code"] == "NO_DESK") if as_json else result.out == ""


def test_something_else_on_the_port_is_not_taken_for_a_desk(cli: Program, desk: FakeDesk) -> None:
    desk.answers(Reply("<html>nginx</html>", 404))

    result = cli("buy", "AAPL", "10")

    assert result.code == 5
    assert "not a Paperdesk desk" in result.err


def test_text_of_the_desk_cannot_steer_the_terminal(cli: Program, desk: FakeDesk) -> None:
    desk.answers(problem(409, "INVALID_STATE", "a\\u001b[31mred\\nline"))

    result = cli("buy", "AAPL", "10")

    assert result.err == "paperdesk: a[31mred line [INVALID_STATE]\n"


def test_an_answer_without_what_was_expected_is_no_traceback(cli: Program, desk: FakeDesk) -> None:
    desk.answers(TRADE)

    result = cli("buy", "AAPL", "10")

    assert result.code == 1
    assert "not as expected" in result.err
    assert "Traceback" not in result.err
