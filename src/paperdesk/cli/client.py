"""The desk over HTTP: every command that trades or looks speaks through here, and only through it.

Amounts never become floats: answers are decoded into Decimal or printed as the text that they are.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeVar, cast
from urllib.parse import urlsplit

import httpx2
import msgspec

from paperdesk import __version__
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import Remote, Shown
from paperdesk.cli.output import show_json
from paperdesk.cli.upload import Upload
from paperdesk.errors import SettingsError
from paperdesk.settings import Settings, is_loopback

ATTEMPTS: Final = 4
LARGEST_PAGE: Final = 500
TIMEOUT: Final = httpx2.Timeout(10.0, connect=5.0)
LONG: Final = httpx2.Timeout(60.0, connect=5.0, read=600.0)
"""For a file of gigabytes: a desk that has got one looks through all of it before it answers."""
_LONGEST_WAIT: Final = 5.0
_UNPROCESSABLE: Final = 422
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked there, not bound
_TOO_SLOW: Final = 408
_UNAVAILABLE: Final = 503

T = TypeVar("T")


class Problem(msgspec.Struct):
    """An error answer (RFC 9457)."""

    title: str = ""
    detail: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the desk answered: the text as it came, and the values in it."""

    text: bytes
    replayed: bool = False
    next_page: str | None = None

    def read(self, kind: type[T]) -> T:
        """Return the answer as a value of `kind`."""
        try:
            # What has no type of its own is no float either.
            return msgspec.json.Decoder(kind, float_hook=Decimal).decode(self.text)
        except msgspec.DecodeError as error:
            message = f"The desk's answer is not as expected ({error}). Is it of another version?"
            raise CommandFailed(message, Exit.REFUSED) from error


class Desk:
    """A connection to the running desk. Raises CommandFailed when it refuses or does not answer."""

    def __init__(
        self, options: Shown, *, attempts: int = ATTEMPTS, timeout: httpx2.Timeout = TIMEOUT
    ) -> None:
        settings = Settings.load()
        self.url = desk_url(settings)
        self._json = options.json
        self._attempts = attempts
        headers = {"User-Agent": f"paperdesk/{__version__}", "Accept": "application/json"}
        if settings.api_key:
            key = settings.api_key.get_secret_value()
            headers["Authorization"] = f"Bearer {_header('PAPERDESK_API_KEY', key)}"
        # Commands about accounts themselves act on none: they have no --account.
        if isinstance(options, Remote) and options.account is not None:
            headers["X-Account"] = _header("--account", options.account)
        self._http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout,
            # A proxy of the environment leads away from this machine.
            trust_env=not is_loopback(urlsplit(self.url).hostname or ""),
        )

    def __enter__(self) -> Self:
        """Return the connection; nothing was sent yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, and give a program that asked for JSON the problem as JSON."""
        self._http.close()
        if self._json and isinstance(error, CommandFailed):
            show_json(error.problem or _problem_text("FAILED", str(error)))

    def get(self, path: str, **parameters: str | int | None) -> Answer:
        """Ask for something."""
        # Without parameters the query in the path stays as it is; an empty set would cut it off.
        return self._send("GET", path, params=_given(parameters) or None)

    def sum(self, path: str) -> Answer:
        """Ask for what the desk has to add up: of millions of rows, that takes its time."""
        return self._send("GET", path, timeout=LONG)

    def rows(self, path: str, *, limit: int | None, **parameters: str | None) -> Answer:
        """Ask for a list: its first `limit` rows, or all of them, page after page."""
        answer = self.get(path, limit=LARGEST_PAGE if limit is None else limit, **parameters)
        if limit is not None or not answer.next_page:
            return answer
        rows = answer.read(list[msgspec.Raw])
        while answer.next_page:
            answer = self.get(answer.next_page)
            rows += answer.read(list[msgspec.Raw])
        return Answer(msgspec.json.encode(rows))

    def each(self, path: str, kind: type[T], **parameters: str | None) -> Iterator[T]:
        """Give all rows of a list, of which one page at a time is held in memory."""
        answer = self.get(path, limit=LARGEST_PAGE, **parameters)
        while True:
            yield from answer.read(list[kind])
            if not answer.next_page:
                return
            answer = self.get(answer.next_page)

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Answer:
        """Do something that may be asked twice: because of its key, or because it is idempotent."""
        return self._send_body("POST", path, body, key)

    def upload(
        self, path: str, form: Mapping[str, str | None], upload: Upload, *, key: str
    ) -> Answer:
        """Send a file with a form. It has a key: sent again, from its beginning, it is the same."""
        content = cast("BinaryIO", upload)
        return self._send(
            "POST",
            path,
            key=key,
            data=_given(form),
            files={"file": (_file_name(upload.name), content, "application/octet-stream")},
            headers={"Idempotency-Key": _header("--key", key)},
            timeout=LONG,
        )

    def patch(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Answer:
        """Change something that may be asked twice: with its key, or because it is idempotent."""
        return self._send_body("PATCH", path, body, key)

    def delete(self, path: str, **parameters: str | None) -> Answer:
        """Remove something."""
        # Asked again after a lost answer, it would say that there is no such thing.
        return self._send("DELETE", path, attempts=1, params=_given(parameters) or None)

    def _send_body(
        self, method: str, path: str, body: Mapping[str, Any], key: str | None
    ) -> Answer:
        headers = {"Idempotency-Key": _header("--key", key)} if key is not None else {}
        content = msgspec.json.encode(_given(body))
        headers["Content-Type"] = "application/json"
        return self._send(method, path, key=key, content=content, headers=headers)

    @contextmanager
    def stream(self, path: str) -> Generator[Iterator[bytes]]:
        """Give the data of a stream's events as they come. Raises TransportError when it breaks."""
        timeout = httpx2.Timeout(30.0, connect=5.0)
        with self._http.sse(path, timeout=timeout) as source:
            if source.response.is_error:
                source.response.read()
                raise self._refusal(source.response, None)
            yield (event.data.encode() for event in source if event.data)

    @contextmanager
    def download(self, path: str) -> Generator[httpx2.Response]:
        """Give an answer whose body is read by and by. Raises TransportError when it breaks."""
        with self._http.stream("GET", path) as response:
            if response.is_error:
                response.read()
                raise self._refusal(response, None)
            yield response

    def unreachable(self, error: Exception) -> CommandFailed:
        """Return the failure that says how to come by a desk."""
        message = (
            f"No desk answers at {self.url} ({error}). Start one with `paperdesk serve`, "
            "or set PAPERDESK_URL to where it listens."
        )
        return CommandFailed(message, Exit.NO_DESK, _problem_text("NO_DESK", message))

    def _send(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        attempts: int | None = None,
        **content: Any,
    ) -> Answer:
        sent = False
        left = attempts or self._attempts
        while True:
            left -= 1
            wait = 0.25 * 2 ** (self._attempts - left)
            try:
                response = self._http.request(method, path, **content)
            except httpx2.TransportError as error:
                # Not connected means not sent; but a desk that broke off may be starting again.
                sent = sent or not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                if not sent or not left:
                    if not sent or method == "GET":
                        raise self.unreachable(error) from error
                    raise self._broken_off(error, key) from error
            else:
                if not response.is_error and response.status_code < httpx2.codes.MULTIPLE_CHOICES:
                    return Answer(
                        response.content,
                        replayed=response.headers.get("Idempotent-Replayed") == "true",
                        next_page=response.links.get("next", {}).get("url"),
                    )
                refusal = self._refusal(response, key)
                if response.status_code != _UNAVAILABLE or not left or _decides(response):
                    raise refusal
                wait = _retry_after(response, wait)
            time.sleep(min(wait, _LONGEST_WAIT))

    def _broken_off(self, error: httpx2.TransportError, key: str | None) -> CommandFailed:
        advice = "Look before you ask again." if key is None else _ask_again(key)
        message = (
            f"The desk at {self.url} broke off without an answer ({error}), so it is not known "
            f"whether it was done. {advice}"
        )
        return CommandFailed(message, Exit.REFUSED, _problem_text("UNKNOWN_OUTCOME", message))

    def _refusal(self, response: httpx2.Response, key: str | None) -> CommandFailed:
        status = response.status_code
        try:
            problem = msgspec.json.decode(response.content, type=Problem)
        except msgspec.DecodeError:
            problem = Problem()
        if not problem.code and status == _TOO_SLOW:
            message = f"The desk at {self.url} waits no longer: {response.text}"
            return CommandFailed(message, Exit.REFUSED, _problem_text("TIMEOUT", message))
        if not problem.code:
            message = (
                f"What answers at {self.url} is not a Paperdesk desk (it said {status} "
                f"{response.reason_phrase}). Set PAPERDESK_URL to where the desk listens."
            )
            return CommandFailed(message, Exit.NO_DESK, _problem_text("NO_DESK", message))
        message = f"{problem.detail or problem.title} [{problem.code}]"
        if problem.code == "UNAUTHENTICATED":
            message += " Set PAPERDESK_API_KEY to a key of this desk."
        if problem.code == "UNKNOWN_OUTCOME" and key:
            message += f" {_ask_again(key)}"
        usage = status == _UNPROCESSABLE
        return CommandFailed(message, Exit.USAGE if usage else Exit.REFUSED, response.content)


def desk_url(settings: Settings) -> str:
    """Return where the desk is: PAPERDESK_URL, else where `serve` listens with these settings."""
    url = settings.url
    if "url" not in settings.model_fields_set and settings.port:
        url = url_of(_EVERYWHERE.get(settings.host, settings.host), settings.port)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port, httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        usable = False
    if not usable:
        raise SettingsError(f"PAPERDESK_URL: {url!r} is no address such as http://127.0.0.1:8000")
    return url.rstrip("/")


def url_of(host: str, port: int) -> str:
    """Return the base URL of a host and a port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _decides(response: httpx2.Response) -> bool:
    """Say whether an operator has to act before asking again can help."""
    return b'"READ_ONLY"' in response.content


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _header(name: str, value: str) -> str:
    if not value or not value.isascii() or not value.isprintable():
        raise CommandFailed(f"{name} must be plain ASCII text, and not empty.", Exit.USAGE)
    return value


def _file_name(path: str) -> str:
    """Return the last part of a path as it can be sent, whatever bytes it is of."""
    return Path(path).name.encode("utf-8", "replace").decode() or "file"


def _ask_again(key: str) -> str:
    return f"Ask again with --key {key}: it is never done twice."


def _retry_after(response: httpx2.Response, otherwise: float) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else otherwise


def _problem_text(code: str, detail: str) -> bytes:
    return msgspec.json.encode({"title": "Failed", "detail": detail, "code": code, "error": detail})
