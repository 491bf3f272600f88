"""The queue in front of the writer: bounded, in order within an account, fair among accounts."""

import asyncio
from dataclasses import dataclass

import pytest

from paperdesk.errors import Busy
from paperdesk.ledger.lane import waiting
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lane.waiting import FairQueue, Pending


@dataclass(frozen=True)
class Named:
    account_id: str
    key: str | None = None

    def __call__(self, books: Books) -> None:
        raise NotImplementedError


def queue_of(text: str) -> FairQueue:
    """A queue with one command a letter, of the account with that letter; keys count from 0."""
    queue = FairQueue()
    for number, account in enumerate(text):
        put(queue, account, str(number))
    return queue


def put(queue: FairQueue, account: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    queue.put(Pending(Named(account, key), loop.create_future()))


def taken(queue: FairQueue, most: int) -> str:
    return " ".join(f"{p.command.account_id}{p.command.key}" for p in queue.take(most))


async def test_one_account_is_served_in_order() -> None:
    queue = queue_of("aaaa")
    assert [taken(queue, 3), taken(queue, 3), taken(queue, 3)] == ["a0 a1 a2", "a3", ""]


async def test_accounts_take_turns_whoever_asked_first_and_most() -> None:
    queue = queue_of("aaaaabbc")
    assert [taken(queue, 4), taken(queue, 4)] == ["a0 b5 c7 a1", "b6 a2 a3 a4"]


async def test_the_turn_goes_on_from_batch_to_batch() -> None:
    queue = queue_of("aaabbb")
    assert [taken(queue, 1) for _ in range(6)] == ["a0", "b3", "a1", "b4", "a2", "b5"]


async def test_length_counts_what_waits() -> None:
    queue = queue_of("aab")
    queue.take(2)
    assert len(queue) == 1


async def test_a_full_queue_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LONGEST_QUEUE", 4)
    queue = queue_of("aabb")
    with pytest.raises(Busy):
        put(queue, "c", "late")
    assert taken(queue, 9) == "a0 b2 a1 b3"


async def test_one_account_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LONGEST_OF_ONE_ACCOUNT", 3)
    queue = queue_of("aaa")
    with pytest.raises(Busy):
        put(queue, "a", "late")
    put(queue, "b", "3")
    assert len(queue) == 4
