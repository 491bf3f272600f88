"""The schema: every table as a declarative model, and every enum."""

from paperdesk.db.base import Base
from paperdesk.models.accounts import DEFAULT_ACCOUNT, AccountRules, ApiKey, UserProfile
from paperdesk.models.chat import ChatMessage
from paperdesk.models.desk import DeskMeta
from paperdesk.models.enums import (
    Atomicity,
    CashMovementKind,
    ChatRole,
    CostBasis,
    EventType,
    JobMode,
    JobPhase,
    JobStatus,
    LogLevel,
    OrderClass,
    OrderLeg,
    OrderStatus,
    OrderType,
    PositionAdjustmentKind,
    RowStatus,
    Side,
    SignalStatus,
    TimeInForce,
    WebhookMode,
)
from paperdesk.models.jobs import AuditLog, Job, JobRow
from paperdesk.models.journal import CashMovement, PositionAdjustment, Trade
from paperdesk.models.market import PriceBar, Quote
from paperdesk.models.orders import Order
from paperdesk.models.positions import PortfolioSnapshot, Position, PositionLot
from paperdesk.models.proofs import Proof
from paperdesk.models.research import Domain, ScoreSnapshot, Stock
from paperdesk.models.signals import Signal, SignalWindow, Webhook
from paperdesk.models.watchlists import PRIMARY_LIST, Watchlist, WatchlistEntry

__all__ = [
    "DEFAULT_ACCOUNT",
    "PRIMARY_LIST",
    "AccountRules",
    "ApiKey",
    "Atomicity",
    "AuditLog",
    "Base",
    "CashMovement",
    "CashMovementKind",
    "ChatMessage",
    "ChatRole",
    "CostBasis",
    "DeskMeta",
    "Domain",
    "EventType",
    "Job",
    "JobMode",
    "JobPhase",
    "JobRow",
    "JobStatus",
    "LogLevel",
    "Order",
    "OrderClass",
    "OrderLeg",
    "OrderStatus",
    "OrderType",
    "PortfolioSnapshot",
    "Position",
    "PositionAdjustment",
    "PositionAdjustmentKind",
    "PositionLot",
    "PriceBar",
    "Proof",
    "Quote",
    "RowStatus",
    "ScoreSnapshot",
    "Side",
    "Signal",
    "SignalStatus",
    "SignalWindow",
    "Stock",
    "TimeInForce",
    "Trade",
    "UserProfile",
    "Watchlist",
    "WatchlistEntry",
    "Webhook",
    "WebhookMode",
]
