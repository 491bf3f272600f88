"""`paperdesk killswitch`: stop all that comes through webhooks, at once."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter

from paperdesk.cli.client import Desk
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import clean, instant, say, screen, show_json, table

killswitch = App(
    name="killswitch",
    help_epilogue="""\
Without --account and --webhook it is that of the whole desk (for a key that is
limited to an account, that of the account). What waits in the queue while it is
on is refused, not postponed. What the desk's administrator turned on, nobody else
turns off.

Examples:
  paperdesk killswitch
  paperdesk killswitch on --cancel-orders --reason "the strategy runs wild"
  paperdesk killswitch off
  paperdesk killswitch on --webhook 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51""",
)


class _Switch(msgspec.Struct):
    """A switch that is on, or a webhook that is off."""

    account_id: str | None
    webhook_id: str | None
    webhook_name: str | None
    by: str | None
    since: str | None
    reason: str | None

    @property
    def of(self) -> str:
        """What it stops."""
        if self.webhook_id:
            return f"webhook {clean(self.webhook_id)} ({clean(self.webhook_name)})"
        return f"account {clean(self.account_id)}" if self.account_id else "the whole desk"


class _Turned(msgspec.Struct):
    """A switch that was turned."""

    on: bool
    account_id: str | None
    webhook_id: str | None
    canceled_orders: int


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Which(Shown):
    """Which switch is meant, and how to print."""

    account: Annotated[str | None, Parameter(help="Only that of this account.")] = None
    webhook: Annotated[str | None, Parameter(help="Only that of the webhook with this id.")] = None
    reason: Annotated[
        str | None, Parameter(help="Why, for the audit trail and refused signals.")
    ] = None


_DESK: Final = Which()


@killswitch.default
def show_switches(*, options: Shown = SHOWN) -> None:
    """Show the switches that are on, and the webhooks that are off."""
    with Desk(options) as desk:
        answer = desk.get("/api/killswitch")
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[_Switch])
    if not found:
        say("Off: signals trade.")
        return
    rows = table("~On for", "Since (UTC)", "By", "~Reason")
    for one in found:
        rows.add_row(one.of, instant(one.since or ""), clean(one.by), clean(one.reason))
    screen().print(rows)


@killswitch.command
def on(
    *,
    cancel_orders: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Cancel the open orders that came through webhooks, too.",
        ),
    ] = False,
    which: Which = _DESK,
) -> None:
    """Stop the execution of signals at once."""
    _turn({"on": True, "cancel_orders": cancel_orders}, which)


@killswitch.command
def off(*, which: Which = _DESK) -> None:
    """Let signals trade again: those that come from now on."""
    _turn({"on": False}, which)


def _turn(turned: dict[str, Any], which: Which) -> None:
    body = {
        **turned,
        "account_id": which.account,
        "webhook_id": which.webhook,
        "reason": which.reason,
    }
    with Desk(which) as desk:
        answer = desk.post("/api/killswitch", body)
        if which.json:
            show_json(answer.text)
            return
        done = answer.read(_Turned)
    if done.webhook_id:
        of = f"webhook {clean(done.webhook_id)}"
    else:
        of = f"account {clean(done.account_id)}" if done.account_id else "the whole desk"
    if done.on:
        say(f"The kill switch of {of} is on: no signal trades.")
    else:
        say(f"The kill switch of {of} is off: signals trade.")
    if done.canceled_orders:
        say(f"Canceled {done.canceled_orders} open order(s).")
