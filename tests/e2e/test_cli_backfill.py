"""`paperdesk backfill`, against a desk whose prices come from Massive's place."""

import json
from datetime import timedelta

from paperdesk.clock import utc_now
from support.fake_desk import running_fake_desk
from support.massive import KEY, listed, minute
from support.program import Program
from support.served import serving

DAY = (utc_now() - timedelta(days=5)).replace(hour=15, minute=0, second=0, microsecond=0)


def test_minutes_of_the_past_are_fetched_and_shown(paperdesk: Program) -> None:
    with running_fake_desk() as massive:
        # One answer to whatever it is asked: without tickers, and with two minutes.
        text = listed([minute(DAY), minute(DAY + timedelta(minutes=1))]).text
        massive.answers('{"tickers": [], ' + text[1:])
        program = paperdesk.with_environment(MASSIVE_API_KEY=KEY, PAPERDESK_MASSIVE_URL=massive.url)
        with serving(program) as desk:
            cli = paperdesk.with_environment(PAPERDESK_URL=desk.url)
            day = f"{DAY:%Y-%m-%d}"
            done = cli("backfill", "aapl", "--from", day, "--to", day, "--json")
            assert (done.code, json.loads(done.out)["successful_rows"]) == (0, 1), done.err
            assert any("/AAPL/range/1/minute/" in each.path for each in massive.asked)
            rows = json.loads(cli("job", "rows", json.loads(done.out)["id"], "--json").out)
            assert rows[0]["effect"]["stored"] == 2

            assert cli("backfill", "AAPL", "--from", "yesterday").code == 1
            assert cli("backfill").code == 2


def test_a_desk_with_the_simulator_says_that_it_has_no_past(paperdesk: Program) -> None:
    with serving(paperdesk) as desk:
        cli = paperdesk.with_environment(PAPERDESK_URL=desk.url)
        said = cli("backfill", "AAPL")
        assert said.code == 1
        assert "MASSIVE_API_KEY" in said.out + said.err
