"""Finding which of the text forms a body is written in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from paperdesk.signals.reading.alerts import Reading, understand
from paperdesk.signals.reading.model import Form, NotUnderstood, Understood
from paperdesk.signals.reading.text_forms import alertatron, lines, single
from paperdesk.signals.reading.times import moment_within

NO_FORM: Final = (
    'The body is in no form that the desk knows. Send JSON such as {"ticker": "AAPL", "action": '
    '"buy", "quantity": 10}, or one of the text forms in docs/signals.md.'
)


class Said(NamedTuple):
    """What a text says, as fields of alerts; or why one of them cannot be read."""

    form: Form
    alerts: Sequence[Mapping[str, Any] | str]


def read_text(text: str, reading: Reading) -> list[Understood | NotUnderstood]:
    """Return what a text says, alert by alert. There is at least one."""
    sent_at = moment_within(text)
    said = _said(text)
    if said is None:
        return [NotUnderstood(reason=NO_FORM, carries_time=sent_at is not None)]
    known = replace(reading, form=said.form, sent_at=sent_at)
    return [
        NotUnderstood(reason=alert, carries_time=sent_at is not None)
        if isinstance(alert, str)
        else understand(alert, known)
        for alert in said.alerts
    ]


def _said(text: str) -> Said | None:
    for form, read in (
        (Form.alertatron, alertatron.read),
        (Form.gunbot, single.gunbot),
        (Form.pipes, single.pipes),
        (Form.autoview, lines.autoview),
        (Form.command_line, lines.commands),
    ):
        if alerts := read(text):
            return Said(form, alerts)
    return None
