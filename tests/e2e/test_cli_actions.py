"""Corporate actions from the command line, one by one and from a file."""

import json
from pathlib import Path

import pytest

from support.fake_desk import FakeDesk, problem
from support.processes import ROOT
from support.program import Program
from support.served import serving

ACTED = """{"results": [
  {"account": "default", "status": "booked", "replayed": false, "adjustment": null,
   "movement": null, "orders": ["o"], "canceled": [], "problem": null, "trades": [
    {"id": "t", "ticker": "AAPL", "side": "sell", "quantity": 0.5, "price": 1050, "value": 525,
     "fee": 0, "realized_pnl": 25, "executed_at": "2026-11-22T02:59:58.624017Z"}]},
  {"account": "other", "status": "refused", "replayed": false, "adjustment": null,
   "movement": null, "trades": [], "orders": [], "canceled": [],
   "problem": {"detail": "Of one of the two shares are held."}}
]}"""
NOBODY = '{"results": []}'
FILE = """kind,ticker,numerator,denominator,per_share,effective_at
split,AAPL,4,1,,2020-08-31T04:00:00Z
dividend,MSFT,,,0.205,2020-11-12T05:00:00Z
"""


def test_corporate_actions_say_what_they_are(cli: Program, desk: FakeDesk) -> None:
    for arguments, body in (
        (["split", "AAPL", "1:10", "--in-lieu", "1050", "--every-account"],
         {"kind": "split", "numerator": 1, "denominator": 10, "cash_in_lieu": "1050",
          "every_account": True}),
        (["dividend", "AAPL", "0.26", "--reinvest-at", "190"],
         {"kind": "dividend", "per_share": "0.26", "reinvest_at": "190", "every_account": False}),
        (["rename", "AAPL", "APPL"],
         {"kind": "symbol_change", "new_ticker": "APPL", "every_account": False}),
        (["spinoff", "AAPL", "SPUN", "1:4", "25.5"],
         {"kind": "spin_off", "new_ticker": "SPUN", "numerator": 1, "denominator": 4,
          "cost_percent": "25.5", "every_account": False}),
    ):  # fmt: skip
        desk.answers(ACTED)
        shown = cli(*arguments, "--key", "mine")
        one = desk.asked[-1]
        assert (one.method, one.path, json.loads(one.body)) == (
            "POST",
            "/api/corporate-actions",
            {"ticker": "AAPL", "key": "mine", **body},
        )
        assert "sell 0.5 AAPL" in shown.out
        assert "Of one of the two" in shown.out
    assert cli("split", "AAPL", "10").code == 2


def test_a_file_of_actions_is_booked_row_by_row(
    cli: Program, desk: FakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(
        "kind,ticker,numerator,denominator,per_share,effective_at\n"
        "split,AAPL,4,1,,2020-08-31T04:00:00Z\n"
        "dividend,AAPL,,,0.205,2020-11-12T05:00:00Z\n"
    )
    for _ in range(2):
        desk.answers(ACTED)
        desk.answers(ACTED)
        assert cli("actions", str(file)).code == 0
    bodies = [json.loads(one.body) for one in desk.asked if one.body]
    assert [one["kind"] for one in bodies] == 2 * ["split", "dividend"]
    # The same file again has the same keys: nothing is booked twice.
    assert [one["key"] for one in bodies[:2]] == [one["key"] for one in bodies[2:]]
    assert len({one["key"] for one in bodies}) == 2


def test_a_file_of_actions_is_one_table(cli: Program, desk: FakeDesk, tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(FILE)
    desk.answers(ACTED, NOBODY)

    lines = cli("actions", str(file)).out.splitlines()

    assert [line.split()[:4] for line in lines] == [
        ["Line", "Kind", "Ticker", "Account"],
        ["2", "split", "AAPL", "default"],
        ["2", "split", "AAPL", "other"],
        ["3", "dividend", "MSFT", "concerns"],
    ]
    assert "Of one of the two" in lines[2]


def test_a_file_of_actions_is_one_json_document(
    cli: Program, desk: FakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(FILE)
    desk.answers(ACTED.replace("1050", "1050.123456789012345"), NOBODY)
    whole = cli("actions", str(file), "--json")
    refusal = problem(422, "INVALID_REQUEST", "per_share: must be more.")
    desk.answers(ACTED, refusal)
    broken, told = cli("actions", str(file), "--json"), cli("actions", str(file))

    assert [one["line"] for one in json.loads(whole.out)] == [2, 3]
    assert '"price": 1050.123456789012345,' in whole.out
    booked, failed = json.loads(broken.out)
    assert (booked["line"], booked["results"][0]["account"]) == (2, "default")
    assert failed == {"line": 3, "problem": json.loads(refusal.text)}
    assert broken.code == 2
    assert broken.err.startswith("paperdesk: Line 3: per_share: must be more. [INVALID_REQUEST]")
    # The last reply is given again: this time line 2 is refused.
    assert (told.code, told.out) == (2, "")
    assert "Line 2: " in told.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no file"),
        (b"", "is empty. Its first line names the columns"),
        (b"kind,ticker\xff\n", "is not UTF-8 text"),
        (b"kind,what\nsplit,1\n", "has the column 'what'"),
        (b"kind,kind,ticker\nsplit,split,AAPL\n", "has the column 'kind' twice"),
        (b"kind,key\nsplit,a\n", "has no column 'ticker'"),
        (b"kind,ticker\nsplit,AAPL\n", "line 2: must have a key or effective_at"),
        (b"kind,ticker\nsplit\n", "line 2: must have as many cells"),
        (b"kind,ticker,key,numerator\nsplit,AAPL,a,four\n", "numerator must be a whole number"),
    ],
)
def test_a_file_that_cannot_be_booked_is_told_in_one_line(
    cli: Program, desk: FakeDesk, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "actions.csv"
    if content is not None:
        file.write_bytes(content)

    result = cli("actions", str(file))

    assert (result.code, result.out, desk.asked) == (2, "", [])
    (line,) = result.err.splitlines()
    assert said in line


def test_the_file_of_the_documentation_is_booked(paperdesk: Program) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    example = page.partition("$ cat actions.csv\n")[2].partition("$ paperdesk actions")[0]
    (paperdesk.folder / "actions.csv").write_text(example)

    with serving(paperdesk) as served:
        here = paperdesk.with_environment(PAPERDESK_URL=served.url)
        every, mine = (
            here("actions", "actions.csv", "--every-account"),
            here("actions", "actions.csv"),
        )

    assert (every.code, every.err, mine.code, mine.err) == (0, "", 0, "")
    assert every.out.count("concerns no account") == 6
    assert [line.split()[0] for line in mine.out.splitlines()[1:]] == list("234567")


def test_a_file_with_a_header_alone_books_nothing(
    cli: Program, desk: FakeDesk, tmp_path: Path
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text("kind,ticker,key\n")

    result = cli("actions", str(file))

    assert (result.code, desk.asked) == (0, [])
    assert "no actions" in result.out
    assert json.loads(cli("actions", str(file), "--json").out) == []
