"""`paperdesk webhook`, `signals`, `signal` and `killswitch`."""

import json
from typing import Any

import httpx2
import pytest

from support.fake_desk import DROP, FakeDesk, Reply, problem
from support.program import Program
from support.served import serving

ID = "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"
SIGNAL_ID = "9f3c1e7ab2d4506887e1f0c2d3b4a5968778695a4b3c2d1e0f9e8d7c6b5a4938"
WEBHOOK = f"""{{
  "id": "{ID}", "account_id": "default", "name": "Breakout", "mode": "execute", "enabled": true,
  "strategy": null, "signs": false, "created_at": "2026-11-22T02:59:58.624017Z",
  "limits": {{"tickers": ["AAPL", "MSFT"], "sides": null, "max_position": 123456789.123456789,
    "quiet_hours": [{{"since": "22:00:00", "until": "08:00:00", "days": ["fri", "sat"]}}]}},
  "settings": {{"symbols": {{"NQ1!": "QQQ"}}, "window_seconds": 30, "signature_required": false,
    "default_quantity": {{"amount": 0.000000001, "kind": "percent_of_equity"}}}}
}}"""
URL = "https://desk.example.com/hooks/tokentokentoken"
MADE = f"""{WEBHOOK[:-2]}, "token": "tokentokentoken", "url": "{URL}",
  "template": "{{\\n  \\"ticker\\": \\"{{{{ticker}}}}\\"\\n}}" }}"""
SIGNAL = f"""{{
  "id": 1, "signal_id": "{SIGNAL_ID}", "account_id": "default", "webhook_id": "{ID}",
  "status": "rejected", "processed": true, "ticker": "AAPL", "payload": {{"ticker": "AAPL"}},
  "raw": "{{\\"ticker\\": \\"AAPL\\",\\n\\u001b[2J \\"action\\": \\"buy\\"}}", "understood": {{
    "intent": "buy", "ticker": "AAPL",
    "quantity": {{"amount": 123456789.123456789, "kind": "shares"}},
    "order_type": "market", "form": "plain", "target": null, "warnings": ["One.", "Two."],
    "take_profit": {{"price": null, "percent": 10}}}},
  "order_id": null, "outcome": null, "error": "These are quiet hours.", "missed": null,
  "attempts": 1, "duplicates": 3, "sent_at": null, "received_at": "2026-11-22T02:59:58.624017Z",
  "last_seen_at": null, "processed_at": null, "replay_of": null
}}"""


def asked(desk: FakeDesk) -> tuple[str, str, Any]:
    one = desk.asked[-1]
    return one.method, one.path, json.loads(one.body) if one.body else None


def test_all_that_a_webhook_may_do_is_said_when_it_is_made(cli: Program, desk: FakeDesk) -> None:
    desk.answers(MADE)
    result = cli(
        "webhook", "create", "Breakout", "--mode", "execute", "--account", "momentum",
        "--strategy", "breakout", "--tickers", "AAPL, MSFT", "--sides", "buy,sell",
        "--max-notional-per-order", "2500.50", "--max-notional-per-day", "9000",
        "--max-position", "100", "--max-position-notional", "20000", "--stale-after", "60",
        "--quiet-hours", "22:00-08:00@mon,Tue", "--quiet-hours", "12:00-13:00",
        "--rate", "60", "--window", "20", "--default-quantity", "5 percent_of_equity",
        "--symbol", "NQ1!=QQQ", "--symbol", "A=B=C", "--allow-address", "52.89.214.238,10.0.0.0/8",
        "--require-signature",
    )  # fmt: skip

    assert (result.code, result.err) == (0, "")
    assert desk.asked[-1].headers["X-Account"] == "momentum"
    assert asked(desk) == (
        "POST",
        "/api/webhooks",
        {
            "name": "Breakout",
            "mode": "execute",
            "strategy": "breakout",
            "tickers": ["AAPL", "MSFT"],
            "sides": ["buy", "sell"],
            "max_notional_per_order": "2500.50",
            "max_notional_per_day": "9000",
            "max_position": "100",
            "max_position_notional": "20000",
            "stale_after_seconds": 60,
            "quiet_hours": [
                {"since": "22:00", "until": "08:00", "days": ["mon", "tue"]},
                {"since": "12:00", "until": "13:00"},
            ],
            "rate_per_minute": 60,
            "window_seconds": 20,
            "default_quantity": {"amount": "5", "kind": "percent_of_equity"},
            "symbols": {"NQ1!": "QQQ", "A=B": "C"},
            "allowed_addresses": ["52.89.214.238", "10.0.0.0/8"],
            "signature_required": True,
        },
    )


def test_its_url_and_template_are_printed_to_be_copied(cli: Program, desk: FakeDesk) -> None:
    desk.answers(MADE)
    for arguments in (("create", "Breakout", "--mode", "record"), ("rotate", ID)):
        lines = cli("webhook", *arguments).out.splitlines()
        assert f"  {URL}" in lines
        assert any("shown this once" in line for line in lines)
        assert lines[-3:] == ["{", '  "ticker": "{{ticker}}"', "}"]
        assert not any("ports 80 and 443" in line for line in lines)
    assert asked(desk) == ("POST", f"/api/webhooks/{ID}/rotate", {})

    desk.answers(MADE.replace("https://desk.example.com", "http://desk.example.com:8000"))
    assert "ports 80 and 443" in cli("webhook", "rotate", ID).out


def test_what_makes_a_secret_or_decides_is_never_asked_twice(cli: Program, desk: FakeDesk) -> None:
    for arguments in (
        ["webhook", "create", "Breakout", "--mode", "record"],
        ["webhook", "rotate", ID],
        ["webhook", "signing-secret", ID],
        ["webhook", "delete", ID, "--yes"],
        ["signal", "approve", SIGNAL_ID],
        ["signal", "decline", SIGNAL_ID],
    ):
        desk.asked.clear()
        desk.answers(DROP)
        result = cli(*arguments)
        assert (result.code, len(desk.asked)) == (1, 1), arguments
        assert "it is not known whether it was done" in result.err


def test_only_what_is_named_changes_and_none_takes_a_limit_off(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(WEBHOOK)
    for arguments, body in (
        (["--name", "New", "--mode", "propose"], {"name": "New", "mode": "propose"}),
        (["--max-position", "none"], {"max_position": None}),
        (["--tickers", "none", "--sides", "none"], {"tickers": None, "sides": None}),
        (["--quiet-hours", "none", "--symbol", "none"], {"quiet_hours": [], "symbols": {}}),
        (["--allow-address", "none"], {"allowed_addresses": None}),
        (["--default-quantity", "none"], {"default_quantity": None}),
        (["--default-quantity", "10"], {"default_quantity": {"amount": "10", "kind": "shares"}}),
        (["--rate", "none", "--stale-after", "none"],
         {"rate_per_minute": None, "stale_after_seconds": None}),
        (["--strategy", "none"], {"strategy": None}),
        (["--no-require-signature"], {"signature_required": False}),
    ):  # fmt: skip
        result = cli("webhook", "change", ID, *arguments)
        assert (result.code, result.err) == (0, ""), arguments
        assert asked(desk) == ("PATCH", f"/api/webhooks/{ID}", body)
    for word, enabled in (("on", True), ("off", False)):
        assert cli("webhook", word, ID).code == 0
        assert asked(desk) == ("PATCH", f"/api/webhooks/{ID}", {"enabled": enabled})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["change", ID], "--max-position"),
        (["change", ID, "--rate", "many"], "--rate"),
        (["change", ID, "--window", "1.5"], "--window"),
        (["change", ID, "--default-quantity", "5 percent"], "--default-quantity"),
        (["change", ID, "--quiet-hours", "22:00"], "--quiet-hours"),
        (["change", ID, "--quiet-hours", "22:00-08:00@"], "--quiet-hours"),
        (["change", ID, "--symbol", "QQQ"], "--symbol"),
        (["change", ID, "--symbol", "=QQQ"], "--symbol"),
        (["create", "Breakout"], "--mode"),
        (["create", "Breakout", "--mode", "trade"], "--mode"),
        (["delete", ID], "--yes"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_asked(
    cli: Program, desk: FakeDesk, arguments: list[str], said: str
) -> None:
    desk.answers(WEBHOOK)
    result = cli("webhook", *arguments)
    assert (result.code, result.out, desk.asked) == (2, "", [])
    (line,) = result.err.splitlines()
    assert said in line


def test_webhooks_are_shown_with_their_limits_digit_for_digit(cli: Program, desk: FakeDesk) -> None:
    desk.answers(f"[{WEBHOOK}]")
    table = cli("webhook", "list").out
    desk.answers(WEBHOOK)
    whole = cli("webhook", "show", ID).out

    for told in (
        "AAPL, MSFT",
        "123456789.123456789",
        "22:00-08:00 on fri, sat",
        "NQ1!=QQQ",
        "0.000000001 percent of equity",
    ):
        assert told in table
        assert told in whole
    assert "Sides" not in whole
    desk.answers("[]")
    assert "paperdesk webhook create" in cli("webhook", "list").out


def test_a_webhook_is_deleted_and_signs(cli: Program, desk: FakeDesk) -> None:
    desk.answers(Reply("", 204))
    assert cli("webhook", "delete", ID, "--yes").out == (
        "The webhook is deleted. Its signals stay.\n"
    )
    assert asked(desk) == ("DELETE", f"/api/webhooks/{ID}", None)
    assert json.loads(cli("webhook", "delete", ID, "--yes", "--json").out) == {"deleted": ID}

    desk.answers(
        '{"secret": "whsec_abc", "version": 2, "previous_until": "2026-11-23T02:59:58.624017Z"}'
    )
    told = cli("webhook", "signing-secret", ID, "--grace", "60").out
    assert "  whsec_abc\n" in told
    assert "until 2026-11-23 02:59:58" in told
    assert asked(desk) == ("POST", f"/api/webhooks/{ID}/signing-secret", {"grace_seconds": 60})


def test_signals_are_asked_for_by_what_they_are(cli: Program, desk: FakeDesk) -> None:
    desk.answers(Reply(f"[{SIGNAL}]", headers={"Link": '</api/signals?cursor=1>; rel="next"'}))
    since, until = "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"
    told = cli(
        "signals", "--status", "rejected", "--webhook", ID, "--ticker", "AAPL", "--since", since,
        "--until", until,
    ).out  # fmt: skip
    assert asked(desk)[1] == (
        f"/api/signals?limit=20&status=rejected&webhook_id={ID}&ticker=AAPL"
        "&since=2026-11-22T00%3A00%3A00Z&until=2026-11-23T00%3A00%3A00Z"
    )
    for words in ("buy 123456789.123456789 shares", "rejected", "quiet hours", SIGNAL_ID, "--all"):
        assert words in told
    desk.answers("[]")
    assert cli("signals").out == "No signals yet.\n"
    assert cli("signals", "--ticker", "AAPL").out == "No signals match.\n"


def test_all_of_a_signal_is_shown_and_nothing_in_it_steers_the_terminal(
    cli: Program, desk: FakeDesk
) -> None:
    desk.answers(SIGNAL)
    told = cli("signal", SIGNAL_ID).out
    assert asked(desk)[:2] == ("GET", f"/api/signals/{SIGNAL_ID}")
    for words in (
        "123456789.123456789 shares",
        "percent 10",
        "One.; Two.",
        "These are quiet hours.",
    ):
        assert words in told
    assert told.splitlines()[-2:] == ['  {"ticker": "AAPL",', '  [2J "action": "buy"}']
    assert "Order type" not in told


def test_signals_are_decided_and_replayed(cli: Program, desk: FakeDesk) -> None:
    waiting = SIGNAL.replace('"rejected"', '"queued"').replace("true", "false")
    desk.answers(waiting)
    for decision in ("approve", "decline"):
        told = cli("signal", decision, SIGNAL_ID)
        assert asked(desk) == ("POST", f"/api/signals/{SIGNAL_ID}/{decision}", {})
        assert f"paperdesk signal {SIGNAL_ID}" in told.out

    desk.answers(DROP, Reply(SIGNAL, 201, {"Idempotent-Replayed": "true"}))
    again = cli("signal", "replay", SIGNAL_ID)
    assert "Replayed before" in again.out
    keys = [one.headers["Idempotency-Key"] for one in desk.asked[-2:]]
    assert keys[0] == keys[1] != ""

    desk.answers(Reply(f"[{SIGNAL}]", 201))
    span = {"since": "2026-11-22T14:00:00Z", "until": "2026-11-22T15:00:00Z"}
    cli(
        "signals", "replay", "--since", span["since"], "--until", span["until"],
        "--status", "failed", "--webhook", ID, "--key", "k",
    )  # fmt: skip
    body = {**span, "webhook_id": ID, "status": "failed"}
    assert asked(desk) == ("POST", "/api/signals/replay", body)
    assert desk.asked[-1].headers["Idempotency-Key"] == "k"
    assert cli("signals", "replay", "--since", span["since"]).code == 2


def test_the_kill_switch_is_shown_and_turned(cli: Program, desk: FakeDesk) -> None:
    desk.answers("[]")
    assert cli("killswitch").out.startswith("Off: signals trade.")
    desk.answers(
        '[{"account_id": null, "webhook_id": null, "webhook_name": null, "by": "desk",'
        '  "since": "2026-11-22T02:59:58.624017Z", "reason": "wild"},'
        ' {"account_id": "momentum", "webhook_id": null, "webhook_name": null, "by": "account",'
        '  "since": "2026-11-22T02:59:58.624017Z", "reason": null},'
        f' {{"account_id": "a", "webhook_id": "{ID}", "webhook_name": "Breakout", "by": null,'
        '  "since": null, "reason": null}]'
    )
    told = cli("killswitch").out
    for text in ("the whole desk", "account momentum", "wild", ID, "(Breakout)"):
        assert text in told

    for arguments, body, answer, said in (
        (["on", "--cancel-orders", "--reason", "wild"],
         {"on": True, "cancel_orders": True, "reason": "wild"},
         '{"on": true, "account_id": null, "webhook_id": null, "canceled_orders": 2}',
         "The kill switch of the whole desk is on: no signal trades.\nCanceled 2 open order(s).\n"),
        (["on", "--account", "momentum"],
         {"on": True, "cancel_orders": False, "account_id": "momentum"},
         '{"on": true, "account_id": "momentum", "webhook_id": null, "canceled_orders": 0}',
         "The kill switch of account momentum is on: no signal trades.\n"),
        (["off", "--webhook", ID], {"on": False, "webhook_id": ID},
         f'{{"on": false, "account_id": "a", "webhook_id": "{ID}", "canceled_orders": 0}}',
         f"The kill switch of webhook {ID} is off: signals trade.\n"),
    ):  # fmt: skip
        desk.answers(answer)
        assert cli("killswitch", *arguments).out == said
        assert asked(desk) == ("POST", "/api/killswitch", body)
        assert "X-Account" not in desk.asked[-1].headers


def test_programs_get_the_answer_as_it_came(cli: Program, desk: FakeDesk) -> None:
    for arguments, answer in (
        (["webhook", "create", "B", "--mode", "record"], MADE),
        (["webhook", "list"], f"[{WEBHOOK}]"),
        (["webhook", "show", ID], WEBHOOK),
        (["signals"], f"[{SIGNAL}]"),
        (["signal", SIGNAL_ID], SIGNAL),
        (["signal", "approve", SIGNAL_ID], SIGNAL),
    ):
        desk.answers(answer)
        assert json.loads(cli(*arguments, "--json").out) == json.loads(answer)
    desk.answers(problem(409, "INVALID_STATE", "It waits for no decision."))
    refused = cli("signal", "approve", SIGNAL_ID, "--json")
    assert (refused.code, json.loads(refused.out)["code"]) == (1, "INVALID_STATE")


def test_an_alert_is_traded_and_found_again_on_a_real_desk(paperdesk: Program) -> None:
    with serving(paperdesk) as served:
        cli = paperdesk.with_environment(PAPERDESK_URL=served.url)
        created = cli(
            "webhook", "create", "Breakout", "--mode", "propose", "--json",
            "--tickers", "AAPL", "--quiet-hours", "22:00-08:00", "--default-quantity", "2",
        )  # fmt: skip
        made = json.loads(created.out)
        answer = httpx2.post(made["url"], json={"ticker": "NASDAQ:AAPL", "action": "buy"})
        signal_id = answer.json()["signal_id"]
        listed = json.loads(cli("signals", "--status", "received", "--json").out)
        approved = cli("signal", "approve", signal_id)
        off = cli("webhook", "off", made["id"])
        refused = httpx2.post(made["url"], json={"ticker": "AAPL", "action": "sell"}).json()
        shown = cli("webhook", "show", made["id"])

    assert [one["signal_id"] for one in listed] == [signal_id]
    assert (approved.code, approved.err, off.code) == (0, "", 0)
    assert (refused["status"], refused["first"]["error"]) == ("rejected", "The webhook is off.")
    assert made["token"] not in shown.out
