"""The gate in front of every request: who may reach the desk at all.

A service on loopback is not private: any web page can send requests to it. So the Host must be one
of ours (DNS rebinding), a changing request of a browser must come from our own pages (CSRF), and a
body over the limit is refused before it is read. No CORS.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperdesk.api.problems import ProblemReply
from paperdesk.api.scopes import SAFE_METHODS
from paperdesk.errors import BodyTooLarge, Forbidden, InvalidRequest, PaperdeskError

BODY_LIMIT = 64 * 1024
FORM: Final = "multipart/form-data"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OUR_PAGES = frozenset({"same-origin", "none"})
_SCHEMES = frozenset({"http", "https"})

_COMMON: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_POLICY: Final = b"content-security-policy"
_NEVER: Final = b"frame-ancestors 'none'; base-uri 'none'; "

HEADERS: Final = (*_COMMON, (_POLICY, b"default-src 'none'; " + _NEVER + b"form-action 'none'"))
"""What every answer of the API carries; no answer of ours sets them itself."""

PAGE_HEADERS: Final = (
    *_COMMON,
    (
        _POLICY,
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; " + _NEVER + b"form-action 'self'",
    ),
)
"""What pages carry: their own scripts and styles, and nothing from elsewhere."""

DOCS_PATH: Final = "/docs"
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Gate:
    """Middleware that refuses strange hosts, foreign origins and large bodies."""

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Iterable[str],
        body_limits: Mapping[str, int] | None = None,
        form_limits: Mapping[str, int] | None = None,
    ) -> None:
        """`body_limits` has, in bytes, the limits of paths that are not `BODY_LIMIT`.

        `form_limits` has those of forms with files, on paths that take such.
        """
        self.app = app
        self.form_limits = dict(form_limits or {})
        self.allowed_hosts = LOOPBACK_HOSTS | frozenset(_names(allowed_hosts))
        self.body_limits = dict(body_limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self.body_limits.get(scope["path"], BODY_LIMIT)
        if headers.get("content-type", "").lower().startswith(FORM):
            limit = self.form_limits.get(scope["path"], limit)
        refusal = self._refusal(scope["method"], headers, limit)
        if refusal is not None:
            await ProblemReply(refusal)(scope, receive, _with_headers(send, HEADERS))
            return
        if "content-length" not in headers or "transfer-encoding" in headers:
            receive = _limited(receive, limit)
        path = scope["path"]
        if path == DOCS_PATH:
            send = _with_docs_headers(send)
        else:
            headers_of = HEADERS if path.startswith("/api") else PAGE_HEADERS
            send = _with_headers(send, headers_of)
        await self.app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers, limit: int) -> PaperdeskError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self.allowed_hosts:
            return Forbidden(
                "This desk does not answer under that host name. Use http://127.0.0.1, or list the "
                "name in PAPERDESK_ALLOWED_HOSTS."
            )
        if method not in SAFE_METHODS and not _from_our_pages(headers, hosts[0]):
            return Forbidden("Another site's page may not change this desk.")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return InvalidRequest("Content-Length must be a number.")
        return _too_large(limit) if int(length[:20]) > limit else None


def host_name(host: str) -> str:
    """Return a Host header's name without its port, in lower case; IPv6 keeps its brackets."""
    name, _, port = host.lower().rpartition(":")
    has_port = name and port.isdigit() and (":" not in name or name.endswith("]"))
    return name if has_port else host.lower()


def _names(hosts: Iterable[str]) -> Iterator[str]:
    """Give hosts as browsers write them: in lower case, without a port, IPv6 in brackets.

    0.0.0.0 and :: are where a desk may listen, but nobody's name.
    """
    for host in hosts:
        name = host_name(host.strip())
        try:
            address = ip_address(name.strip("[]"))
        except ValueError:
            yield name
            continue
        if not address.is_unspecified:
            yield f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6


def _from_our_pages(headers: Headers, host: str) -> bool:
    """Say whether a changing request is not a foreign page's (Sec-Fetch-Site, else Origin)."""
    if site := headers.get("sec-fetch-site"):
        return site in _OUR_PAGES
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    # Not the scheme itself: behind a proxy the desk does not know its own.
    return parts.scheme in _SCHEMES and parts.netloc.lower() == host.lower()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body may have at most {limit // 1024} KiB here. Send less at once.")


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what arrives: a chunked body has no length to refuse it by."""
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
        return message

    return receive_limited


def _with_headers(send: Send, added: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return send_with_headers


def _with_docs_headers(send: Send) -> Send:
    """Allow the one script that stands in the page of Swagger UI, which is a constant, by hash."""
    start: Message | None = None

    async def send_with_headers(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        if start is not None:
            policy = _docs_policy(message.get("body", b""))
            start["headers"] = [*start.get("headers", ()), *_COMMON, (_POLICY, policy)]
            await send(start)
            start = None
        await send(message)

    return send_with_headers


def _docs_policy(page: bytes) -> bytes:
    hashes = [
        b"'sha256-" + b64encode(sha256(script).digest()) + b"'"
        for script in _INLINE_SCRIPT.findall(page)
    ]
    scripts = b" ".join([b"script-src 'self'", *hashes])
    return (
        b"default-src 'none'; " + scripts + b"; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; connect-src 'self'; " + _NEVER + b"form-action 'none'"
    )
