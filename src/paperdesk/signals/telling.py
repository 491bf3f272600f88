"""What is told of signals: to the audit trail, to streams, and to the process that executes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from paperdesk.audit.trail import Action, Line, Said, write
from paperdesk.clock import Clock
from paperdesk.events.event import Event
from paperdesk.events.feed import Feed
from paperdesk.models import LogLevel, SignalStatus
from paperdesk.runtime.leader import Leadership
from paperdesk.signals.arriving import UNFINISHED, Stored
from paperdesk.signals.inbox import Taken, notify

ACTIONS = {
    SignalStatus.received: Action.signal_received,
    SignalStatus.queued: Action.signal_received,
    SignalStatus.recorded: Action.signal_received,
    SignalStatus.executed: Action.signal_executed,
    SignalStatus.rejected: Action.signal_rejected,
    SignalStatus.failed: Action.signal_failed,
}
"""What the audit trail calls it that a signal is where it is."""


class SignalTeller:
    """Tells of signals that came in."""

    def __init__(self, feed: Feed, leadership: Leadership, clock: Clock) -> None:
        self._feed = feed
        self._leadership = leadership
        self._clock = clock

    def after_batch(self, connection: Connection, batch: Sequence[Taken]) -> None:
        """Write a line of each new signal, and tell the other processes, within its transaction."""
        new = [(taken, each) for taken in batch for each in taken.stored if each.is_new]
        if not new:
            return
        said = [
            Said(line_of(each, is_replay=taken.is_replay), taken.actor, taken.request_id)
            for taken, each in new
        ]
        write(connection, said, self._clock.now())
        if not self._leadership.shared:
            return
        self._feed.send(connection, [event_of(each) for _, each in new])
        if any(each.status is SignalStatus.queued for _, each in new):
            notify(connection)

    def heard(self, new: Sequence[Stored]) -> None:
        """Tell the streams of new signals, once they are committed."""
        if not self._feed.shared:
            self._feed.publish(*map(event_of, new))


def event_of(stored: Stored) -> Event:
    """Return what streams are told of a signal."""
    return Event(stored.user_id, "signal", stored.signal_id, told(stored))


def told(stored: Stored) -> dict[str, Any]:
    """Return a signal as streams show it."""
    return {
        "signal_id": stored.signal_id,
        "webhook_id": stored.webhook_id,
        "ticker": stored.ticker,
        "status": stored.status,
        "order_id": stored.order_id,
        "outcome": stored.outcome,
        "error": stored.error,
        "processed": stored.status not in UNFINISHED,
    }


def line_of(stored: Stored, *, is_replay: bool = False) -> Line:
    """Return what the audit trail says of a signal that has come to where it is."""
    refused = stored.status in {SignalStatus.rejected, SignalStatus.failed}
    about = stored.ticker or "an alert that is not understood"
    sentence = stored.error or stored.outcome or f"It is {stored.status}."
    return Line(
        Action.signal_replayed if is_replay else ACTIONS[stored.status],
        f"Signal for {about}: {sentence}",
        stored.user_id,
        stored.signal_id,
        after=told(stored),
        level=LogLevel.WARNING if refused else LogLevel.INFO,
    )
