"""How many rows of a job came to what, and what a job says of its file."""

from support.desk import DeskClient
from support.jobs import ask, buy, ended, job, make_job, previewed, rows
from support.uploads import imported, send

HEADER = "date;symbol;side;quantity;price;;price\n"
FILE = HEADER + (
    "2026-03-04;AAPL;buy;1;100,5;;\n"
    "2026-03-02;AAPL;hold;1;100;;\n"
    "2026-03-03;AAPL;buy;1;100;;\n"
    "2026-03-03;MSFT;hold;1;100;;\n"
    "2026-03-05;AAPL;buy;1000;100;;\n"
)


async def outcomes(desk: DeskClient, job_id: str) -> list[tuple[str, str | None, int, int]]:
    answer = await desk.get(f"/api/jobs/{job_id}/outcomes")
    assert answer.status_code == 200, answer.text
    return [
        (each["status"], each["error_code"], each["rows"], each["example"]["row_number"])
        for each in answer.json()
    ]


async def test_rows_are_counted_by_what_came_of_them_with_the_first_as_an_example(
    desk: DeskClient,
) -> None:
    made = (await send(desk, FILE)).json()
    estimated = await previewed(desk, made["id"])
    assert {each[:3] for each in await outcomes(desk, made["id"])} == {
        ("pending", None, 2),
        ("failed", "KIND", 2),
        ("pending", "INSUFFICIENT_CASH", 1),
    }
    await ask(desk, made["id"], "start")
    await ended(desk, made["id"])
    found = await outcomes(desk, made["id"])
    assert {each[:3] for each in found} == {
        ("completed", None, 2),
        ("failed", "KIND", 2),
        ("failed", "INSUFFICIENT_CASH", 1),
    }
    # The example is the first row of each, whole.
    stored = {row["row_number"]: row for row in await rows(desk, made["id"])}
    answer = (await desk.get(f"/api/jobs/{made['id']}/outcomes")).json()
    for each in answer:
        assert each["example"] == stored[each["example"]["row_number"]]
        same = [n for n, row in stored.items() if row["error_code"] == each["error_code"]]
        assert each["example"]["row_number"] == min(same)
    assert sum(each["rows"] for each in answer) == estimated["total_rows"]


async def test_outcomes_are_those_of_one_job(desk: DeskClient) -> None:
    first = await make_job(desk, [buy(), buy()])
    await make_job(desk, [buy(), {"ticker": "AAPL"}])
    await previewed(desk, first["id"])
    assert await outcomes(desk, first["id"]) == [("pending", None, 2, 1)]
    assert (await desk.get("/api/jobs/none/outcomes")).status_code == 404


async def test_a_job_says_how_its_file_was_read_and_its_columns_in_their_order(
    desk: DeskClient,
) -> None:
    told = {"zone": "Europe/Berlin", "fund": "true"}
    done = await imported(desk, FILE, **told)
    assert done["options"] == {
        "fund": True,
        "zone": "Europe/Berlin",
        "format": "generic",
        "decimal": ",",
        "encoding": "utf-8",
        "header": ["date", "symbol", "side", "quantity", "price", "price+1", "price#2"],
        "is_json": False,
    }
    [listed] = (await desk.get("/api/jobs")).json()
    assert listed["options"] == done["options"]
    basket = await make_job(desk, [buy()])
    assert (await job(desk, basket["id"]))["options"] is None
