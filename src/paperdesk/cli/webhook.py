"""`paperdesk webhook`: the doors that alerts come in through."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

import msgspec
from cyclopts import App, Parameter, validators

from paperdesk.cli.asking import confirm
from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Every, HowMany, Remote
from paperdesk.cli.output import OLDER, clean, instant, say, screen, show_json, table
from paperdesk.cli.webhook_terms import WebhookTerms
from paperdesk.settings import is_loopback

webhook = App(
    name="webhook",
    help_epilogue="""\
A webhook's URL is printed once: whoever knows it can send alerts. For `change`
the word none takes a limit off again.

Examples:
  paperdesk webhook create Breakout --mode execute --tickers AAPL,MSFT --max-position 100
  paperdesk webhook create "From my script" --mode propose --require-signature
  paperdesk webhook list
  paperdesk webhook change 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51 --quiet-hours 22:00-08:00@fri,sat
  paperdesk webhook change 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51 --max-position none
  paperdesk webhook rotate 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51
  paperdesk webhook off 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51""",
)

Mode = Literal["execute", "propose", "record"]
_Id = Annotated[str, Parameter(help="The webhook's id.")]
_NO_TERMS: Final = WebhookTerms()
_PORTS: Final = {80, 443, None}
"""To which TradingView sends."""

_WINDOW: Final = "window seconds"
"""Every webhook has one."""

_PRINTED_ONCE: Final = "It is shown this once; keep it, or make another: paperdesk webhook rotate"


class _Webhook(msgspec.Struct):
    """A webhook, as the desk shows it."""

    id: str
    account_id: str
    name: str
    mode: str
    enabled: bool
    strategy: str | None
    limits: dict[str, msgspec.Raw]
    settings: dict[str, msgspec.Raw]
    signs: bool
    created_at: str


class _Made(_Webhook, kw_only=True):
    """A webhook with its token."""

    token: str
    url: str
    template: str


class _Secret(msgspec.Struct):
    """A secret to sign with."""

    secret: str
    previous_until: str | None = None


@webhook.command
def create(
    name: Annotated[str, Parameter(help="What it is called.")],
    /,
    *,
    mode: Annotated[
        Mode,
        Parameter(help="execute trades, propose waits for `signal approve`, record only keeps."),
    ],
    terms: WebhookTerms = _NO_TERMS,
) -> None:
    """Make a webhook; print its URL, once, and an alert message for TradingView."""
    body = {"name": name, "mode": mode, **terms.body()}
    # Never asked twice: after a lost answer there would be a door that nobody knows.
    with Desk(terms, attempts=1) as desk:
        _show_made(desk.post("/api/webhooks", body), terms)


@webhook.command(name="list")
def list_webhooks(*, limit: HowMany = 20, every: Every = False, options: Remote = REMOTE) -> None:
    """Show the webhooks, the last made first; never their URLs."""
    with Desk(options) as desk:
        answer = desk.rows("/api/webhooks", limit=None if every else limit)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[_Webhook])
    if not found:
        say("No webhooks yet. Make one: paperdesk webhook create NAME --mode execute")
        return
    rows = table(
        "Name",
        "Mode",
        "On",
        "Strategy",
        "~Limits",
        "Made (UTC)",
        "Id",
        drop=("Made (UTC)", "Strategy"),
        apart="Id",
    )
    for one in found:
        rows.add_row(
            clean(one.name),
            clean(one.mode),
            "on" if one.enabled else "off",
            clean(one.strategy),
            "; ".join(f"{label} {value}" for label, value in _terms(one) if label != _WINDOW),
            instant(one.created_at),
            clean(one.id),
        )
    screen().print(rows)
    if answer.next_page:
        say(OLDER)


@webhook.command
def show(webhook_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Show all that is set of a webhook; never its URL."""
    with Desk(options) as desk:
        _show(desk.get(_path(webhook_id)), options)


@webhook.command
def change(
    webhook_id: _Id,
    /,
    *,
    name: Annotated[str | None, Parameter(help="What it is called from now on.")] = None,
    mode: Annotated[Mode | None, Parameter(help="What becomes of its signals.")] = None,
    terms: WebhookTerms = _NO_TERMS,
) -> None:
    """Change what is named of a webhook; the rest stays. The word none takes a limit off."""
    body = {"name": name, "mode": mode, **terms.body()}
    if all(value is None for value in body.values()):
        raise CommandFailed("Say what shall be different, such as --max-position 100.", Exit.USAGE)
    with Desk(terms) as desk:
        _show(desk.patch(_path(webhook_id), body), terms)


@webhook.command
def on(webhook_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Let a webhook's signals trade again."""
    with Desk(options) as desk:
        _show(desk.patch(_path(webhook_id), {"enabled": True}), options)


@webhook.command
def off(webhook_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Refuse all that comes through a webhook from now on, and what waits in its queue."""
    with Desk(options) as desk:
        _show(desk.patch(_path(webhook_id), {"enabled": False}), options)


@webhook.command
def rotate(webhook_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Give a webhook another URL, printed once; the one before opens nothing from now on."""
    with Desk(options, attempts=1) as desk:
        _show_made(desk.post(f"{_path(webhook_id)}/rotate", {}), options)


@webhook.command(name="signing-secret")
def signing_secret(
    webhook_id: _Id,
    /,
    *,
    grace: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=0, lte=30 * 24 * 3600),
            help="Seconds for which the secret before counts too. Default: a day.",
        ),
    ] = None,
    options: Remote = REMOTE,
) -> None:
    """Make the next secret that senders sign with, and print it once."""
    with Desk(options, attempts=1) as desk:
        answer = desk.post(f"{_path(webhook_id)}/signing-secret", {"grace_seconds": grace})
        if options.json:
            show_json(answer.text)
            return
        made = answer.read(_Secret)
    say("The secret to sign with; it is shown this once:")
    say(f"  {clean(made.secret)}")
    if made.previous_until:
        say(f"The one before counts until {instant(made.previous_until)} (UTC).")


@webhook.command
def delete(
    webhook_id: _Id,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), show_default=False, help="Do not ask.")] = False,
    options: Remote = REMOTE,
) -> None:
    """Close a webhook for ever: its URL opens nothing, what waits is refused, signals stay."""
    question = "Its URL will open nothing, for ever. Write its id to delete it: "
    confirm(question, webhook_id, yes=yes, what="delete the webhook")
    with Desk(options) as desk:
        desk.delete(_path(webhook_id))
    if options.json:
        show_json(msgspec.json.encode({"deleted": webhook_id}))
    else:
        say("The webhook is deleted. Its signals stay.")


def _path(webhook_id: str) -> str:
    return f"/api/webhooks/{quote(webhook_id, safe='')}"


def _show_made(answer: Answer, options: Remote) -> None:
    if options.json:
        show_json(answer.text)
        return
    made = answer.read(_Made)
    say(f"The webhook {clean(made.name)} ({clean(made.id)}): {clean(made.mode)}.")
    say("Its URL, with its token:")
    say(f"  {clean(made.url)}")
    say(f"{_PRINTED_ONCE} {clean(made.id)}")
    address = urlsplit(made.url)
    if is_loopback(address.hostname or "") or address.port not in _PORTS:
        say(
            "TradingView reaches only ports 80 and 443 of a public address: put a proxy in front, "
            "and set PAPERDESK_PUBLIC_URL to it."
        )
    say("The message of a TradingView strategy's alert:")
    for line in made.template.splitlines():
        # Not `clean`, which would take the indentation away.
        say("".join(c for c in line if c.isprintable()))


def _show(answer: Answer, options: Remote) -> None:
    if options.json:
        show_json(answer.text)
        return
    one = answer.read(_Webhook)
    rows = table("Webhook", "~Value")
    rows.add_row("Id", clean(one.id))
    rows.add_row("Name", clean(one.name))
    rows.add_row("Account", clean(one.account_id))
    rows.add_row("Mode", clean(one.mode))
    rows.add_row("On", "yes" if one.enabled else "no: all that comes is refused")
    rows.add_row("Strategy", clean(one.strategy) or "the alert's own")
    rows.add_row("Has a signing secret", "yes" if one.signs else "no")
    rows.add_row("Made (UTC)", instant(one.created_at))
    for label, value in _terms(one):
        rows.add_row(label.capitalize(), value)
    screen().print(rows)


def _terms(one: _Webhook) -> list[tuple[str, str]]:
    """Return what is set of a webhook, each with its name, in words."""
    told: list[tuple[str, str]] = []
    for name, raw in (one.limits | one.settings).items():
        value = msgspec.json.decode(raw)
        if value in (None, False, [], {}):
            continue
        told.append((name.replace("_", " "), clean(_told(value, raw))))
    return told


def _told(value: Any, raw: msgspec.Raw) -> str:
    match value:
        case True:
            return "yes"
        case {"amount": _, "kind": str(kind)}:
            amount = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])["amount"]
            return f"{_digits(amount)} {kind.replace('_', ' ')}"
        case dict():
            tickers = msgspec.json.decode(raw, type=dict[str, str])
            return ", ".join(f"{name}={ticker}" for name, ticker in tickers.items())
        case [dict(), *_]:
            return "; ".join(_hours(each) for each in value)
        case list():
            return ", ".join(msgspec.json.decode(raw, type=list[str]))
        case _:
            return _digits(raw)


def _hours(hours: dict[str, Any]) -> str:
    span = f"{hours['since'][:5]}-{hours['until'][:5]}"
    days = hours["days"]
    return span if len(days) == 7 else f"{span} on {', '.join(days)}"  # noqa: PLR2004 - a week


def _digits(raw: msgspec.Raw) -> str:
    """Return a number as the desk wrote it, digit for digit."""
    return bytes(raw).decode().strip('"')
