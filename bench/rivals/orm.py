"""A design that the desk replaces: FastAPI, an AsyncSession a request, a commit a request.

Written fairly: BEGIN IMMEDIATE, so that it is correct under load, and one writing connection with
a queue before it, because connections that poll for SQLite's lock are slower.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import ForeignKey, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.rivals import schema
from paperdesk.clock import utc_now


class Base(DeclarativeBase):
    """The mapped classes."""


class Account(Base):
    """Cash, in millionths of a US dollar."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    cash: Mapped[int]


class Position(Base):
    """A holding, in millionths of a share."""

    __tablename__ = "positions"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    ticker: Mapped[str]
    quantity: Mapped[int]


class Trade(Base):
    """A booked trade."""

    __tablename__ = "trades"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    ticker: Mapped[str]
    side: Mapped[str]
    quantity: Mapped[int]
    price: Mapped[int]
    executed_at: Mapped[str]


class Ask(BaseModel):
    """The body of a trade."""

    ticker: str
    side: Literal["buy", "sell"]
    quantity: Decimal


engine = create_async_engine(
    f"sqlite+aiosqlite:///{os.environ[schema.DATABASE]}",
    pool_size=1,
    max_overflow=0,
    pool_timeout=60,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine.sync_engine, "connect")
def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in schema.PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


@event.listens_for(engine.sync_engine, "begin")
def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with engine.begin() as connection:
        for statement in schema.CREATE.split(";"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
    async with sessions.begin() as session:
        session.add(Account(id=schema.ACCOUNT, cash=schema.CASH))
    yield
    await engine.dispose()


app = FastAPI(lifespan=_lifespan)


async def get_db() -> AsyncGenerator[AsyncSession]:
    """Give the request its session."""
    async with sessions() as session:
        yield session


@app.post("/trade")
async def trade(ask: Ask, session: Annotated[AsyncSession, Depends(get_db)]) -> dict[str, Any]:
    """Book a trade, commit, answer."""
    units = int(ask.quantity * schema.MILLION)
    value = units * schema.PRICE
    account = await session.get_one(Account, schema.ACCOUNT)
    position = await session.scalar(
        select(Position).where(Position.account_id == schema.ACCOUNT, Position.ticker == ask.ticker)
    )
    if ask.side == "buy":
        if value > account.cash:
            raise HTTPException(409, "not enough cash")
        account.cash -= value
        if position is None:
            position = Position(
                id=str(uuid4()), account_id=schema.ACCOUNT, ticker=ask.ticker, quantity=0
            )
            session.add(position)
        position.quantity += units
    else:
        if position is None or units > position.quantity:
            raise HTTPException(409, "not enough shares")
        account.cash += value
        position.quantity -= units
    booked = Trade(
        id=str(uuid4()),
        account_id=schema.ACCOUNT,
        ticker=ask.ticker,
        side=ask.side,
        quantity=units,
        price=schema.PRICE * schema.MILLION,
        executed_at=utc_now().isoformat(),
    )
    session.add(booked)
    await session.commit()
    return {"id": booked.id, "cash": account.cash, "quantity": position.quantity}
