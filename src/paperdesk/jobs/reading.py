"""Reading what a row says: its data as a model, refused with the fields that are in trouble."""

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from paperdesk.api.codec import Ask
from paperdesk.api.problems import describe
from paperdesk.errors import InvalidRequest

R = TypeVar("R", bound=Ask)
M = TypeVar("M", bound=BaseModel)


def read_row(model: type[R], data: Any) -> R:
    """Return a row of any data. Raises InvalidRequest, naming each field in trouble."""
    return read_as(model, data, "row")


def read_as(model: type[M], data: Any, part: str) -> M:
    """Return a part of a request as a model. Raises InvalidRequest, naming what is in trouble."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [each | {"loc": (part, *each["loc"])} for each in error.errors()]
        raise InvalidRequest(describe(RequestValidationError(problems))) from error
