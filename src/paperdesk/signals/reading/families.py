"""Which family an alert belongs to, by its fields. Only for the reader: nothing hangs on it."""

from paperdesk.signals.reading.fields import Fields
from paperdesk.signals.reading.model import Form
from paperdesk.signals.reading.texts import fold


def family_of(fields: Fields) -> Form:
    """Return the family whose fields an alert has."""
    kind = fold(str(fields.value("type") or ""))
    for form, belongs in (
        (Form.metaapi, kind.startswith(("positiontype", "ordertype"))),
        (Form.okx, fields.has("signaltoken", "investmenttype")),
        (Form.three_commas, fields.has("tvinstrument", "botuuid", "botid", "emailtoken")),
        (Form.pickmytrade, fields.has("data", "reverseorderclose", "quantitymultiplier")),
        (Form.tv_hub, fields.has("isbuy", "issell", "isclose")),
        (
            Form.openalgo,
            fields.has("pricetype", "product", "apikey") and not fields.has("apisecret"),
        ),
        (Form.altrady, fields.has("apisecret")),
        (Form.alerts_processor, fields.has("stub", "sizeusd")),
        (
            Form.traderspost,
            fields.has("sentiment", "signalprice", "quantitytype", "takeprofit", "ordertype"),
        ),
        (Form.kitkat, fields.has("side") and fields.has("size") and fields.has("symbol")),
    ):
        if belongs:
            return form
    return Form.plain
