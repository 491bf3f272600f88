"""The bodies of the routes of jobs."""

from typing import Annotated, Any, Final

from pydantic import Field

from paperdesk.api.codec import Amount, Answer, Ask, Label, Moment, Note
from paperdesk.models import Atomicity, EventType, JobMode, JobPhase, JobStatus, LogLevel, RowStatus

MOST_ROWS: Final = 100_000
"""Rows of a job in one JSON body."""
_EXAMPLE: Final = {"ticker": "AAPL", "side": "buy", "quantity": 10}


class JobTerms(Ask):
    """What every job is made of, whatever brings its rows."""

    kind: Annotated[Label, Field(examples=["basket"])] = "basket"
    name: Annotated[Label | None, Field(examples=["Monday's basket"])] = None
    description: Note | None = None
    mode: Annotated[
        JobMode,
        Field(description="confirm: estimated, then booked when started; auto: booked at once"),
    ] = JobMode.confirm
    atomicity: Annotated[
        Atomicity,
        Field(description="partial: each row by itself; all: every row or none, 1,000 at the most"),
    ] = Atomicity.partial


class JobRequest(JobTerms):
    """A job with its rows, or with a command that they are made of."""

    rows: Annotated[
        list[Any] | None,
        Field(
            min_length=1,
            max_length=MOST_ROWS,
            description="What they say depends on the kind. One that is not understood fails alone",
            examples=[[_EXAMPLE]],
        ),
    ] = None
    original_command: Annotated[
        Note | None,
        Field(min_length=1, examples=["buy $500 of every ticker in my watchlist"]),
    ] = None


class JobAnswer(Answer):
    """A job. The counters are the sums of its rows."""

    id: Annotated[str, Field(examples=["01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"])]
    kind: Annotated[str, Field(examples=["basket"])]
    name: Annotated[str, Field(examples=["Monday's basket"])]
    description: str | None
    original_command: str | None
    status: JobStatus
    mode: JobMode
    atomicity: Atomicity
    phase: Annotated[
        JobPhase,
        Field(description="What is done with its rows: load, preview, run (book) or undo"),
    ]
    total_rows: int
    processed_rows: Annotated[int, Field(description="Those that no worker has to look at")]
    successful_rows: int
    failed_rows: int
    total_cost_cents: Annotated[
        int,
        Field(description="Cash that left the account, fees included; of waiting rows an estimate"),
    ]
    steps_done: Annotated[
        int | None, Field(description="How far a task is within its row; null: it does not say")
    ]
    steps_total: Annotated[int | None, Field(description="Of how many, such as rows to export")]
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    updated_at: Moment
    previewed_at: Annotated[
        Moment | None, Field(description="When its rows were estimated; null: not yet")
    ]
    undone_at: Annotated[Moment | None, Field(description="When all that could be was undone")]
    file_name: str | None
    file_sha256: str | None
    options: Annotated[
        Any,
        Field(description="What was told of its file and what was found out; null without one"),
    ]
    error_code: str | None
    error_message: str | None


class ProgressAnswer(JobAnswer):
    """A job while it is worked on."""

    rate: Annotated[
        Amount | None,
        Field(description="Rows, or steps, a second of late; null while none is done"),
    ]
    seconds_left: Annotated[int | None, Field(description="At that rate; null where it is unknown")]


class RowAnswer(Answer):
    """A row of a job and what came of it."""

    row_number: Annotated[int, Field(examples=[1])]
    status: RowStatus
    data: Annotated[Any, Field(description="The row as it was given", examples=[_EXAMPLE])]
    cost_cents: Annotated[
        int, Field(description="Cash that left the account; of a waiting row an estimate")
    ]
    error_code: str | None
    error_message: Annotated[str | None, Field(description="The field, and what is wrong of it")]
    warning: str | None
    attempts: int
    order_id: str | None
    effect: Annotated[Any, Field(description="What it booked, or what a task found; else null")]
    line: Annotated[int | None, Field(description="Where it stands in its file")]
    processed_at: Moment | None


class OutcomeAnswer(Answer):
    """Rows of a job of which the same came, for the same reason, and the first of them."""

    rows: Annotated[int, Field(description="How many they are", examples=[3])]
    status: RowStatus
    error_code: str | None
    example: RowAnswer


class RowChange(Ask):
    """A row in place of one that is not booked."""

    data: Annotated[Any, Field(examples=[_EXAMPLE])]


class LogAnswer(Answer):
    """A line of a job's log."""

    id: str
    timestamp: Moment
    level: LogLevel
    event_type: EventType
    row_number: int | None
    message: Annotated[str, Field(examples=["It was started."])]
    details: Any
