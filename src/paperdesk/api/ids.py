"""Ids in requests. What cannot be one reaches no database: PostgreSQL takes no NUL in a text."""

from typing import Annotated

from pydantic import AfterValidator, Field

from paperdesk.errors import NotFound
from paperdesk.ids import LONGEST, may_be_an_id


def _found_nowhere(text: str) -> str:
    # How long it may be is the path's own affair: a signal's id is longer than the others.
    if not may_be_an_id(text, longest=len(text)):
        raise NotFound("There is nothing with this id. Take one from the list of what there is.")
    return text


def _possible(text: str) -> str:
    if not may_be_an_id(text):
        raise ValueError("must be the id of something that there is, such as `default`")
    return text


PathId = Annotated[str, AfterValidator(_found_nowhere)]
"""An id in a path; NotFound where it cannot be one. How long it may be, the path says."""

IdIn = Annotated[str, Field(max_length=LONGEST), AfterValidator(_possible)]
"""An id in a query or a body; InvalidRequest where it cannot be one."""
