"""JSON that is exact in both directions.

Answers carry amounts as JSON numbers, digit for digit from the Decimal; pydantic would write a
string or go through a float. Requests are parsed so that no amount ever is a float.
"""

import json
import re
from collections.abc import Callable, Collection, Coroutine
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from paperdesk.api.parameters import parameters_read, query_parameters
from paperdesk.api.scopes import SAFE_METHODS, Scope, check_scope
from paperdesk.errors import InvalidRequest, UnsupportedMediaType

AMOUNT_PATTERN = r"^-?[0-9]{1,13}(\.[0-9]{1,9})?$"
_AMOUNT = re.compile(AMOUNT_PATTERN)
_LONGEST_NUMBER = 64
_TOO_LONG = (
    "A number in the body is too long. Send at most 13 digits before the point and 9 after it."
)
_SMALLEST_WITHOUT_EXPONENT = -6
"""Below this power of ten Python writes a Decimal with an exponent."""
_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def plain(value: Decimal) -> Decimal | msgspec.Raw:
    """Return the same number to be written without trailing zeros and without an exponent."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1)) if value else Decimal(0)
    shortest = value.normalize()
    if shortest.adjusted() < _SMALLEST_WITHOUT_EXPONENT:
        return msgspec.Raw(format(shortest, "f").encode())
    return shortest


def encode(content: Any) -> bytes:
    """Return JSON with decimals as numbers and UTC times with `Z`."""
    return _encoder.encode(content)


def parse_amount(value: Any) -> Decimal:
    """Return the Decimal of a JSON number or of a string of the documented form.

    Raises ValueError for anything else, with a sentence for the sender.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ValueError("must be a number, or a string of digits such as 10 or 0.5")  # noqa: TRY004
    if isinstance(value, Decimal):
        text = format(value, "f") if abs(value.adjusted()) < _LONGEST_NUMBER else ""
    else:
        text = str(value)
    if not _AMOUNT.fullmatch(text):
        raise ValueError(
            "must have at most 13 digits before and 9 after the decimal point, such as 10 or 0.5"
        )
    return Decimal(text)


def _clean(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without NUL and without lone surrogates")
    return text


Amount = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=Any),
    WithJsonSchema({"type": "number"}),
]
"""A Decimal in an answer: written as a JSON number, digit for digit."""

AmountIn = Annotated[
    Decimal,
    BeforeValidator(parse_amount),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": AMOUNT_PATTERN}]}),
]
"""A Decimal in a request: a JSON number, or a string of digits."""

Moment = Annotated[AwareDatetime, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant in an answer, RFC 3339 in UTC with `Z`."""

Text = Annotated[str, AfterValidator(_clean)]
"""Text that every database keeps and every answer can say."""

Label = Annotated[Text, Field(min_length=1, max_length=128)]
Note = Annotated[Text, Field(max_length=1024)]


class Ask(BaseModel):
    """Base of every request body: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of every answer's body."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Reply(Response):
    """An answer in exact JSON, from answer models, lists and dicts of them, or plain values."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode without a float in between."""
        return encode(_dump(content))


def _dump(content: Any) -> Any:
    """Return what msgspec can write; pydantic's own dump would build and check more."""
    if content is None or isinstance(content, (str, msgspec.Raw)):
        return content
    if isinstance(content, Decimal):
        return plain(content)
    if isinstance(content, list):
        return [_dump(item) for item in content]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, dict):
        return {name: _dump(value) for name, value in content.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, BaseModel):
        return {name: _dump(value) for name, value in vars(content).items()}
    return content


Written = msgspec.Raw


def written(answer: Any) -> Written:
    """Return an answer as it stands in a larger one, to be kept and sent again and again."""
    return Written(encode(_dump(answer)))


class ExactRequest(Request):
    """A request whose JSON body never makes a float."""

    async def json(self) -> Any:
        """Parse the body. Raises InvalidRequest for what is not strict JSON in UTF-8."""
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text, with decimals for numbers that are not whole.

    Raises InvalidRequest for broken JSON, NaN and Infinity, a key given twice, numbers of absurd
    length and nesting that would exhaust the stack.
    """
    try:
        return _decoder.decode(body.decode("utf-8"))
    except InvalidRequest:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            'The body is not valid JSON. Send one object in UTF-8, such as {"ticker": "AAPL"}.'
        ) from error


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(_short_enough(text))
    except InvalidOperation as error:
        raise InvalidRequest(_TOO_LONG) from error


def _whole(text: str) -> int:
    return int(_short_enough(text))


def _short_enough(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise InvalidRequest(_TOO_LONG)
    return text


def _refuse_constant(name: str) -> Any:
    raise InvalidRequest(f"The body has {name}, which is not a JSON number. Send a plain number.")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidRequest("The body has a field twice. Send each field once.")
    return value


_decoder = json.JSONDecoder(
    parse_float=_decimal,
    parse_int=_whole,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique_keys,
)


class ExactRoute(APIRoute):
    """A route that parses JSON exactly, and refuses query parameters that it does not know.

    It is for keys with the scope that it `needs`. Each router has a class of its own, which says
    what its routes need and whether they take any query: see `slice_router`.
    """

    reading: ClassVar[Scope | None] = Scope.read
    changing: ClassVar[Scope | None] = None
    is_keyless: ClassVar[bool] = False
    takes_any_query: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.needs = self.reading if SAFE_METHODS.issuperset(self.methods or ()) else self.changing
        if (self.needs is None) is not self.is_keyless:
            raise TypeError(
                f"{self.path}: say slice_router(changes=...), the scope that a change needs."
            )
        self.openapi_extra = {**(self.openapi_extra or {}), "security": security(self.needs)}
        documented = self.openapi_extra.get("parameters", [])
        if read := [p for p in parameters_read(self.dependant) if p not in documented]:
            self.openapi_extra = {**self.openapi_extra, "parameters": [*documented, *read]}
        named = [each["name"] for each in (*documented, *read) if each["in"] == "query"]
        known = frozenset([*named, *query_parameters(self.dependant)])
        self.query_names: frozenset[str] | None = None if self.takes_any_query else known

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler so that it sees an ExactRequest."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        needs_body = self.body_field is not None and self.body_field.field_info.is_required()

        async def handle_exactly(request: Request) -> Response:
            check_scope(request.scope, self.needs)
            check_query(request, self.query_names)
            if needs_body or (takes_body and has_body(request)):
                check_media_type(request.headers.get("content-type"))
            return await handle(ExactRequest(request.scope, request.receive))

        return handle_exactly


def check_query(request: Request, known: Collection[str] | None) -> None:
    """Raise InvalidRequest for a query parameter that a route does not know; None: it takes any.

    A misspelt filter must not make a request one for everything.
    """
    if known is None or not request.scope["query_string"]:
        return
    if unknown := sorted(set(request.query_params) - set(known)):
        raise InvalidRequest(f"{unknown[0]}: is not a parameter of this request; leave it out.")


def has_body(request: Request) -> bool:
    """Say whether a request brings a body, by its headers."""
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers


def check_media_type(header: str | None) -> None:
    """Raise UnsupportedMediaType unless a Content-Type is that of JSON."""
    media_type = (header or "").partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")


def security(needed: Scope | None) -> list[dict[str, list[str]]]:
    """Return which keys an operation takes, as OpenAPI has it. An open desk takes none, too."""
    if needed is None:
        return []
    return [{}, {"key": [needed]}, {"alpaca_key_id": [needed], "alpaca_secret_key": [needed]}]


def slice_router(
    *,
    prefix: str = "/api",
    tags: list[str | Any],
    reads: Scope = Scope.read,
    changes: Scope | None = None,
    keyless: bool = False,
    any_query: bool = False,
) -> APIRouter:
    """Return the router of a slice: exact JSON, one tag in the documentation, and who may ask.

    `reads` is the scope that its reading routes need, `changes` the one of all others. `keyless`
    routes need none: they see for themselves who asks, and their paths are open in `users.access`.
    With `any_query` what its routes do not know of a query is left aside, not refused.
    """
    members = {
        "reading": None if keyless else reads,
        "changing": None if keyless else changes,
        "is_keyless": keyless,
        "takes_any_query": any_query,
        "__doc__": ExactRoute.__doc__,
    }
    route_class = type("SliceRoute", (ExactRoute,), members)
    return APIRouter(prefix=prefix, tags=tags, route_class=route_class)
