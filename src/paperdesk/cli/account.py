"""`paperdesk account`: the paper accounts of a desk: open, change, clone, reset."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from paperdesk.cli.answers import Account, ShortSelling
from paperdesk.cli.asking import confirm
from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import SHOWN, Every, HowMany, Shown
from paperdesk.cli.output import (
    OLDER,
    clean,
    instant,
    money,
    quantity,
    say,
    screen,
    show_json,
    table,
)
from paperdesk.ids import new_id

account = App(
    name="account",
    help_epilogue="""\
Examples:
  paperdesk account
  paperdesk account create Momentum --cash 25000
  paperdesk account change default --spread 4 --slippage 2 --per-share 0.005 --minimum 1
  paperdesk account change default --cost-basis fifo
  paperdesk account change default --short --margin 50
  paperdesk account change default --name "Long term"
  paperdesk account clone default "What if" --cash 50000
  paperdesk account reset default --cash 10000 --yes""",
)

CostBasis = Literal["average", "fifo", "lifo", "hifo", "named"]
_Id = Annotated[str, Parameter(help="The account's id.")]
_Key = Annotated[str | None, Parameter(help="The idempotency key.")]
_Bps = Annotated[str | None, Parameter(help="In hundredths of a percent.")]
_Dollars = Annotated[str | None, Parameter(help="US dollars.")]


@account.default
def show_accounts(*, limit: HowMany = 20, every: Every = False, options: Shown = SHOWN) -> None:
    """Show the accounts, the last opened first."""
    with Desk(options) as desk:
        answer = desk.rows("/api/accounts", limit=None if every else limit)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Account])
    _table(found)
    if answer.next_page:
        say(OLDER)


@account.command
def create(
    name: Annotated[str, Parameter(help="What it is called.")],
    /,
    *,
    cash: Annotated[str, Parameter(help="US dollars to begin with.")] = "10000",
    key: _Key = None,
    options: Shown = SHOWN,
) -> None:
    """Open an account."""
    with Desk(options) as desk:
        body = {"name": name, "cash_balance": cash}
        answer = desk.post("/api/accounts", body, key=new_id() if key is None else key)
        _show(answer, options)


@account.command
def change(
    account_id: _Id,
    /,
    *,
    name: Annotated[str | None, Parameter(help="What it is called from now on.")] = None,
    spread: _Bps = None,
    slippage: _Bps = None,
    per_share: _Dollars = None,
    percent: Annotated[str | None, Parameter(help="Commission, in percent.")] = None,
    minimum: _Dollars = None,
    volume: Annotated[
        str | None, Parameter(help="The percentage of the volume that an order may take.")
    ] = None,
    cost_basis: Annotated[
        CostBasis | None, Parameter(help="Which shares a closing trade takes.")
    ] = None,
    short: Annotated[
        bool | None,
        Parameter(show_default=False, help="Whether it may sell what it does not hold."),
    ] = None,
    margin: Annotated[
        str | None, Parameter(help="With --short: percent of the sale that is set aside.")
    ] = None,
    maintenance: Annotated[
        str | None, Parameter(help="With --short: percent that it must stay worth.")
    ] = None,
    borrow: Annotated[
        str | None, Parameter(help="With --short: percent a year for borrowed shares.")
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Change an account's name, or how its orders are filled and booked.

    What is said of fills or of short selling takes the place of all that was said of it before.
    """
    fills = {
        "spread_bps": spread,
        "slippage_bps": slippage,
        "commission_per_share": per_share,
        "commission_percent": percent,
        "commission_minimum": minimum,
        "volume_percent": volume,
    }
    given = {field: value for field, value in fills.items() if value is not None}
    shorts = {
        "margin_percent": margin,
        "maintenance_percent": maintenance,
        "borrow_percent": borrow,
    }
    terms = {field: value for field, value in shorts.items() if value is not None}
    if terms and not short:
        raise CommandFailed("--margin, --maintenance and --borrow go with --short.", Exit.USAGE)
    if name is None and cost_basis is None and short is None and not given:
        raise CommandFailed("Say what shall be different, such as --spread 4.", Exit.USAGE)
    with Desk(options) as desk:
        body = {
            "name": name,
            "fill_model": given or None,
            "cost_basis": cost_basis,
            "short_selling": None if short is None else {"enabled": short, **terms},
        }
        answer = desk.patch(f"/api/accounts/{account_id}", body)
        _show(answer, options)


@account.command
def clone(
    account_id: _Id,
    name: Annotated[str, Parameter(help="What the clone is called.")],
    /,
    *,
    positions: Annotated[
        bool, Parameter(negative="--no-positions", help="Whether it holds the same, lot by lot.")
    ] = True,
    cash: Annotated[
        str | None, Parameter(help="US dollars; as much as the other has, if left out.")
    ] = None,
    key: _Key = None,
    options: Shown = SHOWN,
) -> None:
    """Open an account like another: with its rules, watchlists, cash and positions."""
    with Desk(options) as desk:
        body = {"name": name, "positions": positions, "cash_balance": cash}
        path = f"/api/accounts/{account_id}/clone"
        answer = desk.post(path, body, key=new_id() if key is None else key)
        _show(answer, options)


@account.command
def reset(
    account_id: _Id,
    /,
    *,
    cash: Annotated[
        str | None, Parameter(help="US dollars; what it was opened with, if left out.")
    ] = None,
    note: Annotated[str | None, Parameter(help="Why.")] = None,
    yes: Annotated[bool, Parameter(negative=(), show_default=False, help="Do not ask.")] = False,
    key: _Key = None,
    options: Shown = SHOWN,
) -> None:
    """Begin an account anew: its orders, positions and cash go, its history and keys stay."""
    question = "Its open orders, positions and cash go. Write its id to reset it: "
    confirm(question, account_id, yes=yes, what="reset the account")
    with Desk(options) as desk:
        body = {"cash_balance": cash, "note": note}
        path = f"/api/accounts/{account_id}/reset"
        answer = desk.post(path, body, key=new_id() if key is None else key)
        _show(answer, options)


def _show(answer: Answer, options: Shown) -> None:
    if options.json:
        show_json(answer.text)
    else:
        _table([answer.read(Account)])


def _table(found: list[Account]) -> None:
    rows = table(
        "Id",
        "Name",
        ">Cash",
        "Opened (UTC)",
        "Cost basis",
        "~Short selling",
        "~Orders fill at",
        drop=("Opened (UTC)", "Orders fill at", "Cost basis"),
        apart="Id",
    )
    for one in found:
        rows.add_row(
            clean(one.id),
            clean(one.name),
            money(one.cash_balance),
            instant(one.created_at),
            clean(one.cost_basis),
            _short(one.short_selling),
            ", ".join(
                f"{name.replace('_', ' ')} {quantity(value)}"
                for name, value in one.fill_model.items()
                if value
            )
            or "the quote, at no cost",
        )
    screen().print(rows)


def _short(terms: ShortSelling) -> str:
    """Return whether more may be sold than is held, and on what terms."""
    if not terms.enabled:
        return "no"
    said = {
        "margin": terms.margin_percent,
        "maintenance": terms.maintenance_percent,
        "borrow": terms.borrow_percent,
    }
    return ", ".join(f"{name} {quantity(percent)} %" for name, percent in said.items())
