"""Following a job: what it is like, as it changes, whichever process works on it."""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from typing import Final

from paperdesk.api.codec import encode, written
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.jobs.lifecycle import ENDED
from paperdesk.jobs.schemas import JobAnswer, ProgressAnswer
from paperdesk.models import Job

LOOK: Final = 0.5
"""Seconds between two looks at a job."""
BEAT: Final = 15.0
"""Seconds after which a comment keeps a silent connection open."""
_WINDOW: Final = 20
"""Looks over which a rate is measured."""


async def follow(
    database: Database, job_id: str, clock: Clock, is_closed: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """Give a job as Server-Sent Events whenever it changes, until it ends or is deleted."""
    pace = Pace()
    told, told_at = b"", time.monotonic()
    while not is_closed():
        async with database.read() as session:
            job = await session.get(Job, job_id)
        if job is None:
            return
        answer = pace.of(job, time.monotonic())
        state = encode(written(JobAnswer.model_validate(job)))
        if state != told:
            told, told_at = state, time.monotonic()
            yield b"data: " + bytes(written(answer)) + b"\n\n"
        elif time.monotonic() - told_at > BEAT:
            told_at = time.monotonic()
            yield b": keep-alive\n\n"
        if job.status in ENDED:
            return
        await clock.sleep(LOOK)


class Pace:
    """How fast a job goes on of late."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def of(self, job: Job, at: float) -> ProgressAnswer:
        """Return a job with its rate at a moment, in seconds of any clock."""
        done, total = job.processed_rows, job.total_rows
        if job.steps_done is not None and job.steps_total is not None:
            done, total = job.steps_done, job.steps_total
        self._seen.append((at, done))
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        rate = (now - before) / (last - first) if now > before and last > first else None
        return ProgressAnswer(
            **vars(JobAnswer.model_validate(job)),
            rate=None if rate is None else Decimal(f"{rate:.1f}"),
            seconds_left=None if rate is None else round((total - done) / rate),
        )
