"""`paperdesk signals` and `signal`: what came through the webhooks, and what became of it."""

from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.options import REMOTE, Every, HowMany, Remote
from paperdesk.cli.output import OLDER, clean, say, show_json
from paperdesk.cli.signal_table import Signal, show_signal, show_table
from paperdesk.ids import new_id

signals = App(
    name="signals",
    help_epilogue="""\
Examples:
  paperdesk signals
  paperdesk signals --status rejected --since 2026-11-22T00:00:00Z
  paperdesk signals --ticker AAPL --all --json
  paperdesk signals replay --since 2026-11-22T14:00:00Z --until 2026-11-22T15:00:00Z""",
)
signal = App(
    name="signal",
    help_epilogue="""\
Examples (an id has 64 characters; `paperdesk signals` shows them):
  paperdesk signal ID
  paperdesk signal approve ID
  paperdesk signal decline ID
  paperdesk signal replay ID""",
)

Status = Literal["received", "queued", "executed", "rejected", "recorded", "failed"]
_Status = Annotated[
    Status | None, Parameter(help="Only those that stand there; received waits for approval.")
]
_Webhook = Annotated[
    str | None, Parameter(name="--webhook", help="Only those of the webhook with this id.")
]
_Id = Annotated[str, Parameter(help="The signal's id.")]
_Key = Annotated[
    str | None,
    Parameter(help="The idempotency key: the same key replays once. Default: a new one."),
]


@signals.default
def show_signals(
    *,
    status: _Status = None,
    webhook_id: _Webhook = None,
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    since: Annotated[
        str | None, Parameter(help="Only those received from then on: 2026-11-22T00:00:00Z.")
    ] = None,
    until: Annotated[str | None, Parameter(help="Only those received before.")] = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show signals, the last received first."""
    with Desk(options) as desk:
        answer = desk.rows(
            "/api/signals",
            limit=None if every else limit,
            status=status,
            webhook_id=webhook_id,
            ticker=ticker,
            since=since,
            until=until,
        )
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Signal])
    if not found:
        chosen = status or webhook_id or ticker or since or until
        say("No signals match." if chosen else "No signals yet.")
        return
    show_table(found)
    if answer.next_page:
        say(OLDER)


@signals.command(name="replay")
def replay_signals(
    *,
    since: Annotated[str, Parameter(help="From then on: 2026-11-22T14:00:00Z.")],
    until: Annotated[str, Parameter(help="Before then.")],
    status: _Status = None,
    webhook_id: _Webhook = None,
    key: _Key = None,
    options: Remote = REMOTE,
) -> None:
    """Take the signals of a span of time in once more, the oldest first; at most 1,000."""
    body = {"since": since, "until": until, "webhook_id": webhook_id, "status": status}
    with Desk(options) as desk:
        answer = desk.post("/api/signals/replay", body, key=new_id() if key is None else key)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Signal])
    if not found:
        say("No signals match.")
        return
    show_table(found)
    _told_again(answer)


@signal.default
def show_one(signal_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Show all of a signal: as it came, what was understood, what became of it."""
    with Desk(options) as desk:
        answer = desk.get(_path(signal_id))
        if options.json:
            show_json(answer.text)
            return
        show_signal(answer.read(Signal))


@signal.command
def replay(signal_id: _Id, /, *, key: _Key = None, options: Remote = REMOTE) -> None:
    """Take a signal in once more: a new one, through its webhook as it is now."""
    with Desk(options) as desk:
        path = f"{_path(signal_id)}/replay"
        _show(desk.post(path, {}, key=new_id() if key is None else key), options)


@signal.command
def approve(signal_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Have a proposed signal executed. The limits of its webhook count as they are now."""
    _decide(signal_id, "approve", options)


@signal.command
def decline(signal_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Refuse a proposed signal for good."""
    _decide(signal_id, "decline", options)


def _decide(signal_id: str, decision: str, options: Remote) -> None:
    # Asked again after a lost answer, it would say that the signal waits for nothing.
    with Desk(options, attempts=1) as desk:
        _show(desk.post(f"{_path(signal_id)}/{decision}", {}), options)


def _path(signal_id: str) -> str:
    return f"/api/signals/{quote(signal_id, safe='')}"


def _show(answer: Answer, options: Remote) -> None:
    if options.json:
        show_json(answer.text)
        return
    one = answer.read(Signal)
    show_table([one])
    if not one.processed:
        say(f"What becomes of it: paperdesk signal {clean(one.signal_id)}")
    _told_again(answer)


def _told_again(answer: Answer) -> None:
    if answer.replayed:
        say("Replayed before, with the same key.")
