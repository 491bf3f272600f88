"""Books written by hand, row by row: what the proof must find sound, whoever wrote it.

They have all that a journal can have: buys, sells, a closed position, orders with several fills,
a cancelled one, cash that came and went, a split, a change of symbol, text beyond ASCII, lots that
were closed in part, and shares sold short.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from paperdesk.ids import new_id
from paperdesk.ledger import booking, journal
from paperdesk.ledger.holdings import (
    NOTHING,
    Holding,
    Lot,
    average_cost,
    closed,
    closes,
    opened,
    written,
)
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    CostBasis,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionAdjustment,
    PositionAdjustmentKind,
    PositionLot,
    Side,
    TimeInForce,
    Trade,
    UserProfile,
)
from support.databases import START


class Scribe:
    """Writes one account's books."""

    def __init__(self, session: Session, name: str, account_id: str | None = None) -> None:
        self.session = session
        self.now = START
        self.head = journal.FIRST_HASH
        self.sequence = 0
        self.cash = self.realized = Decimal(0)
        self.held: dict[str, Holding] = {}
        self.opened: dict[str, datetime] = {}
        self.method = CostBasis.average
        self.id = account_id or new_id()
        if account_id is None:
            session.execute(insert(UserProfile).values(id=self.id, name=name, created_at=self.now))

    def cash_moves(self, amount: str, note: str | None = None) -> None:
        kind = CashMovementKind.deposit if Decimal(amount) > 0 else CashMovementKind.withdrawal
        movement = CashMovement(
            kind=kind, amount=Decimal(amount), key=f"cash-{self.sequence}", note=note
        )
        self.cash += Decimal(amount)
        self._append(movement, effective_at=self._tick(), created_at=self.now)

    def order(
        self, side: str, ticker: str, quantity: str, *fills: tuple[str, str], **rest: Any
    ) -> None:
        """Write an order and its fills, each a quantity and a price."""
        order_id = new_id()
        filled = sum((Decimal(q) for q, _ in fills), Decimal(0))
        whole = filled == Decimal(quantity)
        last = self.now + len(fills) * timedelta(seconds=1)
        products = sum((Decimal(q) * Decimal(p) for q, p in fills), Decimal(0))
        values: dict[str, Any] = {
            "id": order_id,
            "client_order_id": order_id,
            "user_id": self.id,
            "ticker": ticker,
            "side": Side(side),
            "type": OrderType.market,
            "time_in_force": TimeInForce.day,
            "status": OrderStatus.filled if whole else OrderStatus.canceled,
            "quantity": Decimal(quantity),
            "filled_quantity": filled,
            "filled_avg_price": round(products / filled, 9) if fills else None,
            "filled_at": last if whole else None,
            "source": "test",
            "submitted_at": self.now,
            "closed_at": None if rest.get("status") is OrderStatus.new else last,
        }
        self.session.execute(insert(Order).values(values | rest))
        for q, price in fills:
            self._fill(order_id, Side(side), ticker, Decimal(q), Decimal(price))

    def split(self, ticker: str, numerator: int, denominator: int) -> None:
        held = self.held[ticker]
        quantity = round(held.quantity * numerator / denominator, 9)
        self.held[ticker] = Holding(quantity, held.cost_basis)
        self._adjust("stock_split", ticker, numerator=numerator, denominator=denominator)

    def rename(self, ticker: str, new_ticker: str) -> None:
        self.held[new_ticker] = self.held.pop(ticker)
        self._adjust("symbol_change", ticker, new_ticker=new_ticker)
        self.opened[new_ticker] = self.opened.pop(ticker)

    def close(self) -> None:
        """Write what the journal leads to."""
        account = self.session.get_one(UserProfile, self.id)
        account.cash_balance, account.realized_pnl = self.cash, self.realized
        account.head_sequence, account.head_hash = self.sequence, self.head
        for ticker, held in self.held.items():
            if held.quantity:
                self.session.add(
                    Position(
                        user_id=self.id,
                        ticker=ticker,
                        quantity=held.quantity,
                        cost_basis=held.cost_basis,
                        avg_cost=average_cost(held),
                        opened_at=self.opened[ticker],
                    )
                )
            self.session.add_all(
                PositionLot(
                    user_id=self.id,
                    ticker=ticker,
                    number=lot.number,
                    opened_at=lot.opened_at,
                    quantity=lot.quantity,
                    cost_basis=lot.cost,
                )
                for lot in held.lots or ()
            )
        self.session.flush()

    def _fill(
        self, order_id: str, side: Side, ticker: str, quantity: Decimal, price: Decimal
    ) -> None:
        held = self.held.get(ticker, NOTHING)
        value, made, fee = booking.value_of(quantity, price), Decimal(0), Decimal("0.01")
        way = 1 if side is Side.buy else -1
        at = self._tick()
        since, lots = None, None
        if closes(held.quantity, side):
            closing = closed(held, self.opened[ticker], self.method, quantity)
            self.held[ticker], made = closing.left, -way * value - closing.cost
            since = closing.opened_at
            lots = None if closing.closed is None else written(closing.closed)
            self.realized += made
        else:
            if not held.quantity:
                self.opened[ticker] = at
            lot = Lot(self.sequence + 1, at, way * quantity, way * value)
            self.held[ticker] = opened(held, self.opened[ticker], self.method, lot)
        self.cash -= way * value + fee
        trade = Trade(
            order_id=order_id,
            ticker=ticker,
            side=side,
            quantity=quantity,
            price=price,
            value=value,
            fee=fee,
            realized_pnl=made,
            source="test",
            cost_basis_method=None if self.method is CostBasis.average else self.method,
            opened_at=since,
            closed_lots=lots,
        )
        self._append(trade, executed_at=at)

    def _adjust(self, kind: str, ticker: str, **rest: Any) -> None:
        change = PositionAdjustment(
            kind=PositionAdjustmentKind(kind),
            ticker=ticker,
            quantity=Decimal(0),
            cost_basis=Decimal(0),
            amount=Decimal(0),
            key=f"{kind}-{self.sequence}",
            **rest,
        )
        self._append(change, effective_at=self._tick(), created_at=self.now)

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def _append(self, entry: journal.Entry, **times: Any) -> None:
        for name, moment in times.items():
            setattr(entry, name, moment)
        self.sequence += 1
        entry.id, entry.user_id, entry.sequence = new_id(), self.id, self.sequence
        entry.hash = self.head = journal.chained_hash(self.head, entry)
        self.session.add(entry)
        self.session.flush()


def write_books(session: Session) -> list[str]:
    """Write three accounts beside the default one; return their ids."""
    first = Scribe(session, "Erste")
    first.cash_moves("10000", "Grüße 🐢")
    first.order("buy", "AAPL", "10.5", ("10.5", "190.123456789"), client_order_id="mine-1")
    first.order("buy", "MSFT", "3", ("1", "400.000000001"), ("2", "399.5"))
    first.order("sell", "AAPL", "3.3", ("3.3", "201.7"))
    first.cash_moves("-250.5")
    first.order("buy", "TSLA", "7", ("7", "10.333333333"))
    first.order("sell", "TSLA", "7", ("3", "11"), ("4", "9.000000007"))
    first.split("AAPL", 3, 2)
    first.order("sell", "MSFT", "3", ("1.000000001", "410"))
    first.rename("MSFT", "MSF")
    first.order("buy", "AAPL", "1", status=OrderStatus.new, reserved_cash=Decimal("150.25"))
    first.order("sell", "AAPL", "2", status=OrderStatus.new, reserved_quantity=Decimal(2))
    first.order("sell", "AAPL", "0.7", ("0.7", "140.01"))
    first.close()
    second = Scribe(session, "Second")
    second.cash_moves("500")
    second.order("buy", "NVDA", "1.000000003", ("1.000000003", "33.333333333"))
    second.close()
    third = Scribe(session, "Lots")
    third.cash_moves("5000")
    third.order("buy", "AAPL", "4", ("4", "100"))
    third.method = CostBasis.hifo
    third.order("buy", "AAPL", "3", ("3", "120.000000007"))
    third.order("buy", "AAPL", "2", ("2", "90.1"))
    third.order("sell", "AAPL", "3.5", ("3.5", "110"))
    third.order("sell", "MSFT", "2", ("2", "50.123456789"))
    third.order("sell", "MSFT", "1", ("1", "51"))
    third.order("buy", "MSFT", "1.5", ("1.5", "45"))
    third.close()
    return [first.id, second.id, third.id]
