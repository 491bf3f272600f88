"""The worked cases of docs/accounting.md: what the page says is what the desk books."""

import re
from decimal import Decimal
from pathlib import Path

from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Dividend, SpinOff, Split
from paperdesk.ledger.accounts import ChangeRules, open_account
from paperdesk.ledger.cash import MoveCash
from paperdesk.models import CashMovementKind, CostBasis
from support.observed import problems_found
from support.orders import assert_orders_hold
from support.trading import TradingDesk

PAGE = Path(__file__).parents[3] / "docs" / "accounting.md"
ROW = re.compile(r"^\| *(\d*) *\| ([a-z](?:[^|:]|:(?! ))*)(?:: [^|]*)? \|(.+)\|$", re.MULTILINE)

Line = tuple[str, str, list[Decimal]]
Figures = list[Decimal]


def tables() -> dict[str, list[Line]]:
    """Return the lines of each table: their number, what is done, and the figures after it."""
    found: dict[str, list[Line]] = {}
    worked = PAGE.read_text("utf-8").split("## Worked cases")[1]
    for section in worked.split("### ")[1:]:
        title, _, body = section.partition("\n")
        found[title] = [
            (number, what.strip(), [Decimal(cell) for cell in figures.split("|")])
            for number, what, figures in ROW.findall(body)
        ]
    return found


async def do(desk: TradingDesk, account: str, number: str, what: str) -> None:
    now = desk.clock.now()
    notice = Notice(account, f"case {number}", now, now)
    words = what.split()
    amounts = [Decimal(word) for word in words if re.fullmatch(r"[\d.]+", word)]
    ratios = [tuple(map(int, word.split(":"))) for word in words if ":" in word]
    match words[0]:
        case "buy" | "sell" as side:
            desk.price("AAPL", str(amounts[1]))
            await desk.trade(side, str(amounts[0]), account_id=account)
        case "dividend":
            reinvest_at = amounts[1] if "reinvested" in words else None
            action = Dividend(notice, "AAPL", amounts[0], reinvest_at=reinvest_at)
            await desk.ledger.submit(action)
        case "split":
            numerator, denominator = ratios[0]
            in_lieu = amounts[0] if "lieu" in words else None
            await desk.ledger.submit(Split(notice, "AAPL", numerator, denominator, in_lieu))
        case "spinoff":
            numerator, denominator = ratios[0]
            await desk.ledger.submit(
                SpinOff(notice, "AAPL", words[2], numerator, denominator, amounts[0])
            )
        case "fee" | "interest" as kind:
            await desk.ledger.submit(
                MoveCash(account, CashMovementKind(kind), amounts[0], desk.clock)
            )
        case "cost":
            changes = {"cost_basis_method": CostBasis(words[-1])}
            await desk.ledger.submit(ChangeRules(account, changes))
        case "allow":
            await desk.ledger.submit(ChangeRules(account, {"short_selling": True}))
        case _:
            raise AssertionError(what)


async def figures(desk: TradingDesk, account: str) -> Figures:
    view = await desk.ledger.account(account)
    held = next((p for p in view.positions if p.ticker == "AAPL"), None)
    quantity, cost = (held.quantity, held.cost_basis) if held else (Decimal(0), Decimal(0))
    return [view.cash_balance, quantity, cost, view.realized_pnl]


async def test_every_figure_is_what_the_desk_books(desk: TradingDesk) -> None:
    numbers: list[str] = []
    for n, lines in enumerate(tables().values()):
        account = f"table-{n}"
        async with desk.database.write() as session:
            await session.run_sync(
                open_account, account, Decimal(10_000), desk.clock.now(), account_id=account
            )
        for number, what, expected in lines:
            await do(desk, account, number, what)
            assert await figures(desk, account) == expected, f"case {number}: {what}"
            numbers += [number] if number else []
        await assert_orders_hold(desk, account)
    assert numbers == [str(number) for number in range(1, 32)]
    assert await problems_found(desk.database) == []
