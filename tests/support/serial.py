"""Commands that were answered in an unknown order: was it as if they came one after another?"""

from collections.abc import Sequence
from dataclasses import dataclass

from support.reference import Booking, Command, Entry, ReferenceDesk, Refusal


@dataclass(frozen=True)
class Answered:
    """A command, and the entry or the code that it was answered with."""

    command: Command
    entry: Entry | None
    replayed: bool = False
    code: str | None = None


def assert_serial(model: ReferenceDesk, answers: Sequence[Answered]) -> None:
    """Follow the order of the journal: each answer must be the model's at some point of it.

    The model has made all bookings afterwards.
    """
    open_questions = [answer for answer in answers if answer.entry is None or answer.replayed]
    booked = [answer for answer in answers if answer.entry is not None and not answer.replayed]
    open_questions = _still_open(model, open_questions)
    for answer in sorted(booked, key=_place):
        assert model.execute(answer.command) == Booking(_entry(answer)), answer
        open_questions = _still_open(model, open_questions)
    assert not open_questions


def _still_open(model: ReferenceDesk, answers: Sequence[Answered]) -> list[Answered]:
    return [answer for answer in answers if not _fits(model, answer)]


def _fits(model: ReferenceDesk, answer: Answered) -> bool:
    expected = model.decide(answer.command)
    if isinstance(expected, Refusal):
        return answer.code in expected.codes
    return answer.replayed and expected == Booking(_entry(answer), replayed=True)


def _entry(answer: Answered) -> Entry:
    assert answer.entry is not None
    return answer.entry


def _place(answer: Answered) -> tuple[str, int]:
    return answer.command.account, _entry(answer).sequence
