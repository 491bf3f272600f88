"""What the real desk shows, written down as the reference model writes it."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from fractions import Fraction

from sqlalchemy import select

from paperdesk.db.engine import Database
from paperdesk.ledger.cash import Moved
from paperdesk.ledger.proof.proving import Problem, prove
from paperdesk.ledger.proof.state import state_hash
from paperdesk.ledger.views import AccountView
from paperdesk.models import CashMovement, Order, Position, Trade, UserProfile
from paperdesk.orders.commands.place_order import Placed
from support.reference import Ask, Command, Entry, Move, Statement


def booked_entry(result: Placed | Moved) -> Entry:
    """Return the entry that a command was answered with."""
    return trade_entry(result.trade) if isinstance(result, Placed) else cash_entry(result.movement)


def trade_entry(trade: Trade) -> Entry:
    """Return a trade as the model writes it down."""
    assert trade.fee == 0
    return Entry(
        sequence=trade.sequence,
        kind=str(trade.side),
        value=Fraction(trade.value),
        at=trade.executed_at,
        ticker=trade.ticker,
        quantity=Fraction(trade.quantity),
        price=Fraction(trade.price),
        realized=Fraction(trade.realized_pnl),
    )


def cash_entry(movement: CashMovement) -> Entry:
    """Return a movement as the model writes it down."""
    return Entry(
        movement.sequence, str(movement.kind), Fraction(movement.amount), movement.effective_at
    )


def published_statement(view: AccountView) -> Statement:
    """Return an account as the writer shows it, as the model writes it down."""
    return Statement(
        view.sequence,
        Fraction(view.cash_balance),
        Fraction(view.realized_pnl),
        tuple(
            (p.ticker, Fraction(p.quantity), Fraction(p.cost_basis), Fraction(p.avg_cost))
            for p in view.positions
        ),
    )


async def stored_journal(database: Database, account: str) -> list[Entry]:
    """Return an account's journal from its rows, in order."""
    async with database.read() as session:
        trades = await session.scalars(select(Trade).where(Trade.user_id == account))
        entries = [trade_entry(trade) for trade in trades]
        movements = await session.scalars(
            select(CashMovement).where(CashMovement.user_id == account)
        )
        entries += [cash_entry(movement) for movement in movements]
    return sorted(entries, key=lambda entry: entry.sequence)


async def stored_statements(database: Database, accounts: Collection[str]) -> dict[str, Statement]:
    """Return what the rows of accounts and positions say."""
    columns = (Position.ticker, Position.quantity, Position.cost_basis, Position.avg_cost)
    async with database.read() as session:
        held: dict[str, list[tuple[str, Fraction, Fraction, Fraction]]] = {a: [] for a in accounts}
        for account, ticker, *amounts in await session.execute(
            select(Position.user_id, *columns).where(Position.user_id.in_(accounts))
        ):
            quantity, cost, average = map(Fraction, amounts)
            held[account].append((ticker, quantity, cost, average))
        rows = await session.scalars(select(UserProfile).where(UserProfile.id.in_(accounts)))
        return {
            row.id: Statement(
                row.head_sequence,
                Fraction(row.cash_balance),
                Fraction(row.realized_pnl),
                tuple(sorted(held[row.id])),
            )
            for row in rows
        }


async def booked_under_their_keys(
    database: Database, commands: Collection[Command]
) -> AbstractSet[Command]:
    """Return those of the commands whose keys are in the books."""
    if not commands:
        return frozenset()
    keys = [command.key for command in commands]
    orders = select(Order.user_id, Order.client_order_id).where(Order.client_order_id.in_(keys))
    moves = select(CashMovement.user_id, CashMovement.key).where(CashMovement.key.in_(keys))
    async with database.read() as session:
        used: dict[type[Command], set[tuple[str, str | None]]] = {
            Ask: {(account, key) for account, key in await session.execute(orders)},
            Move: {(account, key) for account, key in await session.execute(moves)},
        }
    return {
        command for command in commands if (command.account, command.key) in used[type(command)]
    }


async def problems_found(database: Database) -> list[Problem]:
    """Return what the desk's own proof finds wrong with its books."""
    async with database.read() as session:
        return (await session.run_sync(prove)).problems


async def hash_of_books(database: Database) -> str:
    """Return the one hash over everything that the books say."""
    async with database.read() as session:
        return await session.run_sync(state_hash)
