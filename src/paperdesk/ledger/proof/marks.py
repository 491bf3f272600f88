"""Marks: how far an account was proven, and what an operator accepted although it was wrong."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import index
from typing import Any, Final

import structlog
from sqlalchemy import BigInteger, Text, cast, delete, select, type_coerce
from sqlalchemy.orm import Session

from paperdesk.db.types import EXACT, MONEY_SCALE
from paperdesk.ledger.proof.entries import raw, table_of
from paperdesk.ledger.proof.lots import Holding, Lot
from paperdesk.ledger.proof.replay import Account, Point
from paperdesk.models import DeskMeta, Position, PositionLot, Proof, UserProfile

ACCEPTED: Final = "accepted_problems"
"""The fact in `desk_meta` that holds the problems an operator accepted."""

AT_ONCE: Final = 100
"""Accounts whose marks are moved in one transaction, so that no trade waits long."""

_UNREADABLE: Final = (TypeError, ValueError, AttributeError)

log = structlog.get_logger()


def newest(session: Session, account_id: str) -> Point | None:
    """Return the point from which an account's proof may go on; None for its beginning.

    A mark that cannot be read counts as none: it only saves time.
    """
    proofs = table_of(Proof).c
    query = _points(account_id).order_by(proofs.sequence.desc()).limit(1)
    try:
        row = session.execute(query).first()
        return _point(*row) if row else None
    except _UNREADABLE as error:
        log.warning("proof.mark_not_read", account=account_id, error=str(error))
        return None


def accepted(session: Session, account_id: str) -> tuple[list[Point], int]:
    """Return the states of an account that an operator accepted, the oldest first.

    And how many more there are that cannot be read: they count as not accepted.
    """
    proofs = table_of(Proof).c
    rows = session.execute(_points(account_id).where(proofs.accepted).order_by(proofs.sequence))
    points: list[Point] = []
    unreadable = 0
    for row in rows:
        try:
            points.append(_point(*row))
        except _UNREADABLE:
            unreadable += 1
    return points, unreadable


def accepted_problems(session: Session) -> list[tuple[str | None, int | None, str]]:
    """Return the problems that an operator accepted. Raises ValueError if they cannot be read."""
    stored = session.scalar(select(DeskMeta.value).where(DeskMeta.key == ACCEPTED))
    if stored is None:
        return []
    try:
        return [_problem(*each) for each in json.loads(stored)]
    except TypeError as error:
        raise ValueError(str(error)) from error


def move(session: Session, points: Mapping[str, Point], now: datetime) -> None:
    """Note that accounts are proven up to here. What was accepted stays noted."""
    proofs = table_of(Proof).c
    ids = _lock(session, points)
    session.execute(delete(Proof).where(proofs.user_id.in_(ids), ~proofs.accepted))
    kept = select(proofs.user_id, proofs.sequence).where(proofs.user_id.in_(ids))
    there = {(account_id, sequence) for account_id, sequence in session.execute(kept)}
    session.add_all(
        _row(account_id, points[account_id], now)
        for account_id in ids
        if (account_id, points[account_id].sequence) not in there
    )


def accept(
    session: Session, problems: Sequence[tuple[str | None, int | None, str]], now: datetime
) -> None:
    """Take the accounts of problems as they stand for the truth from here on; note the problems."""
    proofs = table_of(Proof).c
    for account_id in _lock(session, {account for account, _, _ in problems if account}):
        row = _row(account_id, current(session, account_id), now)
        older = ~proofs.accepted | (proofs.sequence == row.sequence)
        session.execute(delete(Proof).where(proofs.user_id == account_id, older))
        row.accepted = True
        session.add(row)
    try:
        noted = accepted_problems(session)
    except ValueError:
        # What cannot be read is written anew.
        noted = []
    noted += [problem for problem in problems if problem not in noted]
    session.merge(DeskMeta(key=ACCEPTED, value=json.dumps(noted)))


def current(session: Session, account_id: str) -> Point:
    """Return an account as its rows say it is, right or wrong."""
    profiles, positions = table_of(UserProfile).c, table_of(Position).c
    dialect = session.get_bind().dialect.name
    sequence, head, cash, realized = session.execute(
        select(
            profiles.head_sequence,
            profiles.head_hash,
            type_coerce(profiles.cash_balance, BigInteger),
            type_coerce(profiles.realized_pnl, BigInteger),
        ).where(profiles.id == account_id)
    ).one()
    held = session.execute(
        select(
            positions.ticker,
            type_coerce(positions.quantity, BigInteger),
            type_coerce(positions.cost_basis, BigInteger),
            raw(positions.opened_at, dialect),
        ).where(positions.user_id == account_id)
    )
    account = Account(cash, realized)
    lots = _lots(session, account_id)
    for ticker, quantity, cost, opened_at in held:
        account.holdings[ticker] = Holding(quantity, cost, lots.pop(ticker, None))
        account.opened[ticker] = opened_at
    # Lots of what is not held: the proof finds that the journal says otherwise.
    account.holdings |= {ticker: Holding(0, 0, parts) for ticker, parts in lots.items()}
    return Point(sequence, head, account)


def _lots(session: Session, account_id: str) -> dict[str, tuple[Lot, ...]]:
    """Return the lots of an account by ticker."""
    table = table_of(PositionLot).c
    dialect = session.get_bind().dialect.name
    rows = session.execute(
        select(
            table.ticker,
            table.number,
            raw(table.opened_at, dialect),
            type_coerce(table.quantity, BigInteger),
            type_coerce(table.cost_basis, BigInteger),
        )
        .where(table.user_id == account_id)
        .order_by(table.ticker, table.number)
    ).all()
    found: dict[str, tuple[Lot, ...]] = {}
    for ticker, number, opened_at, quantity, cost in rows:
        found[ticker] = (*found.get(ticker, ()), Lot(number, opened_at, quantity, cost))
    return found


def _lock(session: Session, accounts: Collection[str]) -> list[str]:
    """Lock the accounts, so that two processes do not write the same mark; return their ids."""
    return list(
        session.scalars(
            select(UserProfile.id)
            .where(UserProfile.id.in_(accounts))
            .order_by(UserProfile.id)
            .with_for_update()
        )
    )


def _row(account_id: str, point: Point, now: datetime) -> Proof:
    return Proof(
        user_id=account_id,
        sequence=point.sequence,
        hash=point.hash,
        cash_balance=EXACT.scaleb(point.account.cash, -MONEY_SCALE),
        realized_pnl=EXACT.scaleb(point.account.realized, -MONEY_SCALE),
        holdings={
            ticker: [
                holding.quantity,
                holding.cost,
                point.account.opened.get(ticker),
                *([holding.lots] if holding.lots else []),
            ]
            for ticker, holding in point.account.holdings.items()
        },
        proven_at=now,
    )


def _points(account_id: str) -> Any:
    proofs = table_of(Proof).c
    return select(
        proofs.sequence,
        proofs.hash,
        type_coerce(proofs.cash_balance, BigInteger),
        type_coerce(proofs.realized_pnl, BigInteger),
        # Text, whatever it is: one row that is no JSON must not hide the others.
        cast(proofs.holdings, Text),
    ).where(proofs.user_id == account_id)


def _point(sequence: int, head: str, cash: int, realized: int, holdings: str) -> Point:
    """Return the point of a mark. Raises one of _UNREADABLE for values that are none of a mark."""
    account = Account(index(cash), index(realized))
    for ticker, (quantity, cost, opened_at, *lots) in json.loads(holdings).items():
        parts = [Lot(index(n), at, index(q), index(c)) for n, at, q, c in (lots[0] if lots else ())]
        account.holdings[ticker] = Holding(index(quantity), index(cost), tuple(parts) or None)
        account.opened[ticker] = opened_at
    return Point(index(sequence), head, account)


def _problem(account: Any, sequence: Any, what: Any) -> tuple[str | None, int | None, str]:
    if not (
        isinstance(account, str | None)
        and isinstance(sequence, int | None)
        and isinstance(what, str)
    ):
        raise TypeError("the problems are not written as problems are")
    return account, sequence, what
