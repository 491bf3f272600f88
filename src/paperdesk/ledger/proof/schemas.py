"""The bodies of the proof's routes."""

from typing import Annotated

from pydantic import Field

from paperdesk.api.codec import Answer, Ask
from paperdesk.ledger.proof.keeper import Proven


class ProblemFound(Answer):
    """Something in the books that is wrong."""

    account: Annotated[str | None, Field(examples=["default"])]
    sequence: Annotated[
        int | None,
        Field(description="The first wrong entry of the account's journal", examples=[17]),
    ]
    what: Annotated[str, Field(examples=["There is no such entry, and the journal has no gaps."])]


class CheckedRows(Answer):
    """What was looked at."""

    accounts: Annotated[int, Field(examples=[1])]
    trades: int
    cash_movements: int
    position_adjustments: int


class VerifyAnswer(Answer):
    """The outcome of a proof."""

    ok: Annotated[bool, Field(description="Nothing is wrong", examples=[True])]
    checked: CheckedRows
    problems: list[ProblemFound]
    state_hash: Annotated[str, Field(description="SHA-256 over what the books say")]


class ReopenRequest(Ask):
    """Whether what is wrong is accepted."""

    accept: Annotated[
        bool, Field(description="Take the books as they stand for the truth", examples=[False])
    ] = False


class ReopenAnswer(VerifyAnswer):
    """The outcome of a proof, and what followed."""

    read_only: Annotated[str | None, Field(description="Why the desk is still read-only")]


def proof_fields(proven: Proven) -> dict[str, object]:
    """Return the members of an answer that tell of a proof."""
    verdict = proven.verdict
    return {
        "ok": not verdict.problems,
        "checked": CheckedRows.model_validate(verdict.checked),
        "problems": [ProblemFound.model_validate(problem) for problem in verdict.problems],
        "state_hash": proven.state_hash,
    }
