"""Every pair of status and event: what the tables name is allowed, everything else refused."""

from itertools import product

import pytest

from paperdesk.errors import InvalidState
from paperdesk.jobs.lifecycle import (
    ENDED,
    JOB_TRANSITIONS,
    ROW_TRANSITIONS,
    Counts,
    JobEvent,
    RowEvent,
    counts_of,
    job_after,
    row_after,
)
from paperdesk.models import JobStatus, RowStatus


@pytest.mark.parametrize(("status", "event"), [*product(JobStatus, JobEvent)])
def test_jobs_change_as_the_table_says(status: JobStatus, event: JobEvent) -> None:
    if (status, event) in JOB_TRANSITIONS:
        assert job_after(status, event) is JOB_TRANSITIONS[status, event]
        return
    with pytest.raises(InvalidState, match=f"The job is {status}; {event} is not possible"):
        job_after(status, event)


@pytest.mark.parametrize(("status", "event"), [*product(RowStatus, RowEvent)])
def test_rows_change_as_the_table_says(status: RowStatus, event: RowEvent) -> None:
    if (status, event) in ROW_TRANSITIONS:
        assert row_after(status, event) is ROW_TRANSITIONS[status, event]
        return
    with pytest.raises(InvalidState, match=f"The row is {status}; {event} is not possible"):
        row_after(status, event)


def test_what_is_not_known_is_never_called_failed_and_never_tried_again_by_itself() -> None:
    from_review = {e: to for (at, e), to in ROW_TRANSITIONS.items() if at is RowStatus.needs_review}
    assert from_review == {
        RowEvent.edit: RowStatus.failed,
        RowEvent.claim_undo: RowStatus.processing,
    }


def test_only_a_person_has_more_done_with_a_job_that_has_ended() -> None:
    by_itself = {JobEvent.finish, JobEvent.fail, JobEvent.undone}
    assert not [each for each in JOB_TRANSITIONS if each[0] in ENDED and each[1] in by_itself]


@pytest.mark.parametrize("status", RowStatus)
def test_a_row_counts_once(status: RowStatus) -> None:
    counts = counts_of(status, 250)
    assert counts.cost == 250
    assert counts.successful + counts.failed <= counts.processed <= 1
    assert counts + -counts == Counts()
