"""`paperdesk audit` shows who did what; commands that work on the database say that they did it."""

import json
import sqlite3
from contextlib import closing

from support.fake_desk import FakeDesk
from support.program import Program

LINES = """[
  {"id": "2", "timestamp": "2026-11-22T01:26:00.000000Z", "level": "INFO",
   "event_type": "state_change", "action": "order.placed", "account_id": "momentum",
   "actor": "key", "actor_id": "key-1", "subject": "order-1", "request_id": "request-1",
   "message": "buy 10 AAPL, \\u001b[31mmarket day: filled.", "details": {"after": {}},
   "job_id": null},
  {"id": "1", "timestamp": "2026-11-22T01:25:00.000000Z", "level": "WARNING",
   "event_type": "state_change", "action": "proof.accepted", "account_id": null,
   "actor": "command_line", "actor_id": null, "subject": null, "request_id": null,
   "message": "1 problem(s) in the books were accepted by the operator.", "details": null,
   "job_id": null}
]"""


def test_lines_are_a_table_of_who_did_what(cli: Program, desk: FakeDesk) -> None:
    desk.answers(LINES)

    result = cli("audit")

    assert result.code == 0
    placed, accepted = result.out.splitlines()[-2:]
    for part in ("2026-11-22 01:26:00", "key key-1", "order.placed", "momentum", "order-1"):
        assert part in placed
    assert "\x1b" not in result.out
    assert "command_line" in accepted
    assert desk.asked[0].path == "/api/audit?limit=20"
    # Without --account it is the trail of all accounts.
    assert "X-Account" not in desk.asked[0].headers


def test_filters_are_asked_for_by_their_names(cli: Program, desk: FakeDesk) -> None:
    desk.answers(LINES)

    cli(
        *("audit", "--account", "momentum", "--actor", "key", "--by", "key-1", "--limit", "5"),
        *("--action", "order.", "--subject", "order-1", "--request", "request-1"),
    )

    assert desk.asked[0].path == (
        "/api/audit?limit=5&account=momentum&actor=key&actor_id=key-1&action=order."
        "&subject=order-1&request_id=request-1"
    )


def test_programs_get_the_lines_as_they_came(cli: Program, desk: FakeDesk) -> None:
    desk.answers(LINES)
    assert json.loads(cli("audit", "--json").out) == json.loads(LINES)


def test_nothing_found_is_a_sentence(cli: Program, desk: FakeDesk) -> None:
    desk.answers("[]")
    assert cli("audit").out == "No lines match.\n"


def test_a_replayed_file_is_of_the_command_line(paperdesk: Program) -> None:
    (paperdesk.folder / "trades.csv").write_text(
        "ticker,side,quantity,price,executed_at\nAAPL,buy,1,100,2026-11-02T15:00:00Z\n"
    )

    assert paperdesk("replay", "trades.csv").code == 0

    with closing(sqlite3.connect(paperdesk.folder / "desk.db")) as connection:
        lines = connection.execute("SELECT actor, action FROM audit_logs ORDER BY id").fetchall()
    assert lines == [
        ("system", "account.opened"),
        ("system", "desk.seeded"),
        ("command_line", "trades.replayed"),
    ]


def test_a_desk_that_is_reopened_without_one_is_of_the_command_line(paperdesk: Program) -> None:
    assert paperdesk("migrate").code == 0
    assert paperdesk("seed").code == 0
    with closing(sqlite3.connect(paperdesk.folder / "desk.db")) as connection:
        connection.execute("INSERT INTO desk_meta VALUES ('read_only', 'It is read-only.')")
        connection.commit()

    assert paperdesk("reopen").code == 0

    with closing(sqlite3.connect(paperdesk.folder / "desk.db")) as connection:
        *_, line = connection.execute("SELECT actor, action FROM audit_logs ORDER BY id")
    assert line == ("command_line", "desk.reopened")
