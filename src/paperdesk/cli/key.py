"""`paperdesk key`: the API keys of a desk. At its machine no key is needed to make the first."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec
from cyclopts import App, Parameter, validators

from paperdesk.cli import key_store
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import SHOWN, Every, HowMany, Shown
from paperdesk.cli.output import OLDER, clean, instant, say, screen, show_json, table
from paperdesk.db.inspection import is_empty
from paperdesk.errors import DatabaseHeld
from paperdesk.settings import Settings, is_loopback, sqlite_path

key = App(
    name="key",
    help_epilogue="""\
Works on the database of DATABASE_URL itself where no desk holds the file, and on PostgreSQL; else,
and where DATABASE_URL is not set and a desk runs, it asks that desk, with the key in
PAPERDESK_API_KEY. A key is printed once: keep it.

Examples:
  paperdesk key create admin
  paperdesk key create bot --scopes trade --account 0192f2a4-5e0c-7cc1-8a1b-1c2d3e4f5a6b
  paperdesk key list
  paperdesk key rotate 4fZ0aK2mQx --grace 3600
  paperdesk key revoke 4fZ0aK2mQx""",
)

_Key = Annotated[str, Parameter(help="The key's id, or the ten characters that it begins with.")]
_Scope = Literal["read", "trade", "webhook", "admin"]


class _Row(msgspec.Struct):
    """A key, as the desk shows it."""

    id: str
    name: str
    scopes: list[str]
    account_id: str | None
    key_id: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None = None
    last_used_at: str | None = None


class _Made(_Row, kw_only=True):
    """A key that was made. Only here it is whole."""

    key: str
    alpaca_key_id: str
    alpaca_secret_key: str
    notice: str | None = None


@key.command
def create(
    name: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    scopes: Annotated[
        list[_Scope] | None,
        Parameter(
            negative="",
            consume_multiple=True,
            help="What it may do. The first key of a desk gets admin, if nothing is said.",
        ),
    ] = None,
    account: Annotated[
        str | None, Parameter(help="The only account that it may act on. Default: any.")
    ] = None,
    expires_at: Annotated[
        str | None, Parameter(help="When it stops opening, such as 2027-01-01T00:00:00Z.")
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Make a key, and print it once."""
    body: dict[str, Any] = {
        "name": name,
        "scopes": scopes or [],
        "account_id": account,
        "expires_at": expires_at,
    }

    def there(desk: Desk) -> bytes:
        if not scopes:
            if _rows(desk.get("/api/keys", limit=1).text):
                raise CommandFailed(key_store.SAY_SCOPES, Exit.USAGE)
            body["scopes"] = ["admin"]
        return desk.post("/api/keys", body).text

    text = _answer(options, lambda url: key_store.create(url, body), there, makes=True)
    _show_made(text, options)


@key.command(name="list")
def list_keys(*, limit: HowMany = 20, every: Every = False, options: Shown = SHOWN) -> None:
    """Show the keys, also those that were revoked, the last made first; never their secrets."""
    most = None if every else limit
    has_more = False

    def there(desk: Desk) -> bytes:
        nonlocal has_more
        answer = desk.rows("/api/keys", limit=most)
        has_more = bool(answer.next_page)
        return answer.text

    text = _answer(options, lambda url: key_store.listed(url, most), there)
    if options.json:
        show_json(text)
        return
    rows = table("Key id", "Name", "Scopes", "~Account", "Made (UTC)", "Last used", "Opens until")
    for one in _rows(text):
        rows.add_row(
            clean(one.key_id),
            clean(one.name),
            " ".join(one.scopes),
            clean(one.account_id or "any"),
            instant(one.created_at),
            instant(one.last_used_at) if one.last_used_at else "-",
            _until(one),
        )
    screen().print(rows)
    if has_more:
        say(OLDER)


@key.command
def revoke(key_id: _Key, /, *, options: Shown = SHOWN) -> None:
    """Revoke a key, at once and for ever."""

    def here(url: str) -> bytes:
        key_store.revoke(url, key_id)
        return b""

    _answer(options, here, lambda desk: desk.delete(_path(key_id)).text)
    if options.json:
        show_json(msgspec.json.encode({"revoked": key_id}))
    else:
        say("The key is revoked.")


@key.command
def rotate(
    key_id: _Key,
    /,
    *,
    grace: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=0, lte=30 * 24 * 3600),
            help="Seconds for which the old key still opens. Default: a day.",
        ),
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Make a key that may do the same as this one, which soon stops opening; print it once."""
    body = {} if grace is None else {"grace_seconds": grace}
    text = _answer(
        options,
        lambda url: key_store.rotate(url, key_id, grace),
        lambda desk: desk.post(f"{_path(key_id)}/rotate", body).text,
    )
    _show_made(text, options)


def _answer(
    options: Shown,
    here: Callable[[str], bytes],
    there: Callable[[Desk], bytes],
    *,
    makes: bool = False,
) -> bytes:
    """Return the answer of the database, or of the desk that holds it or is the one spoken to.

    `makes`: where there is no database yet, one is made.
    """
    settings = Settings.load()
    held: DatabaseHeld | None = None
    if not _asks_the_desk(settings):
        path = sqlite_path(settings.database_url)
        if path and is_empty(path) and not makes:
            raise CommandFailed(
                "There is no desk yet, and so no key. `paperdesk key create NAME` makes both.",
                Exit.REFUSED,
            )
        try:
            return here(settings.database_url)
        except DatabaseHeld as error:
            # By the desk that runs: it knows at once of what it does itself.
            held = error
    try:
        # Never asked twice: after a lost answer there would be a key that nobody knows.
        with Desk(options, attempts=1) as desk:
            return there(desk)
    except CommandFailed as failure:
        if held is not None and failure.exit_code is Exit.NO_DESK:
            # By something else, then.
            raise held from failure
        raise


def _asks_the_desk(settings: Settings) -> bool:
    """Say whether no database is named, and the desk runs here, or is said to run elsewhere.

    The desk that all other commands speak to may have another database than the usual one: a key
    that is made in that would protect nothing.
    """
    given = settings.model_fields_set
    if "database_url" in given:
        return False
    if "url" in given and not is_loopback(urlsplit(settings.url).hostname or ""):
        return True
    try:
        with Desk(SHOWN, attempts=1) as desk:
            desk.get("/api/health")
    except CommandFailed as failure:
        return failure.exit_code is not Exit.NO_DESK
    return True


def _rows(text: bytes) -> list[_Row]:
    return msgspec.json.decode(text, type=list[_Row])


def _path(key_id: str) -> str:
    return f"/api/keys/{quote(key_id, safe='')}"


def _until(one: _Row) -> str:
    if one.revoked_at:
        return "revoked"
    return instant(one.expires_at) if one.expires_at else "-"


def _show_made(text: bytes, options: Shown) -> None:
    if options.json:
        show_json(text)
        return
    made = msgspec.json.decode(text, type=_Made)
    of = f"account {clean(made.account_id)}" if made.account_id else "every account"
    say(f"Made the key {made.key_id} ({clean(made.name)}): {', '.join(made.scopes)} on {of}.")
    say("It is shown this once:")
    say(f"  {made.key}")
    say("For clients of Alpaca, the same key in two parts:")
    say(f"  APCA-API-KEY-ID: {made.alpaca_key_id}")
    say(f"  APCA-API-SECRET-KEY: {made.alpaca_secret_key}")
    if made.notice:
        say(made.notice)
