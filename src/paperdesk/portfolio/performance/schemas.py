"""The answers of GET /api/portfolio/performance and /attribution."""

import datetime as dt
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from paperdesk.api.codec import Amount, Answer, Moment
from paperdesk.portfolio.performance.benchmark import Beside
from paperdesk.portfolio.performance.events import moment_of
from paperdesk.portfolio.performance.figures import Contribution, Day, Fall
from paperdesk.portfolio.performance.service import Attributed, Told

_AnInstant = Annotated[Moment | None, Field(description="Null where there is none")]
_Fraction = Amount | None
_Ticker = Annotated[str, Field(examples=["AAPL"])]


class _Renamed(Answer):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True, validate_by_name=True)


class DrawdownAnswer(Answer):
    """When the deepest fall began, when it ended, and when it was made good again."""

    peak_at: Annotated[_AnInstant, Field(examples=["2026-03-02T05:00:00Z"])]
    trough_at: _AnInstant
    recovered_at: Annotated[
        Moment | None, Field(description="Null as long as it is not made good, or without a fall")
    ]


class DayAnswer(_Renamed):
    """The return of a day of the desk's time zone, or of what of it is in the range."""

    date: Annotated[dt.date, Field(examples=["2026-11-20"])]
    change: Annotated[Amount, Field(alias="return", examples=[0.0123])]


class ContributionAnswer(Answer):
    """What a ticker made. The line without a ticker is cash: income less all fees."""

    ticker: Annotated[str | None, Field(examples=["AAPL"])]
    profit: Annotated[Amount, Field(description="US dollars; the lines add up to `profit`")]
    contribution: Annotated[
        _Fraction, Field(description="The lines add up to `simple`, to the last digit")
    ]


class BenchmarkAnswer(_Renamed):
    """A ticker to compare with, over the same range."""

    ticker: _Ticker
    since: Annotated[
        Moment | None,
        Field(description="From when its price is known; null where it is not"),
    ]
    change: Annotated[_Fraction, Field(alias="return", description="Of its price, since then")]
    beta: _Fraction
    correlation: _Fraction
    alpha: Annotated[_Fraction, Field(description="Jensen's, a year; the risk-free rate is 0")]


class PerformanceAnswer(Answer):
    """The performance of an account, or of a part of it, over a range.

    Returns and falls are fractions (0.05 is 5 %), to 6 places; amounts are US dollars. What has no
    answer is null.
    """

    start: Moment
    end: Moment
    simple: Annotated[
        _Fraction, Field(description="Profit over the most capital that was in", examples=[0.0123])
    ]
    twr: Annotated[_Fraction, Field(description="Time-weighted, of the whole range")]
    mwr: Annotated[
        _Fraction,
        Field(description="Money-weighted: of the range if it is shorter than a year, else a year"),
    ]
    cagr: Annotated[
        _Fraction, Field(description="Time-weighted, a year; null for less than a year")
    ]
    max_drawdown: Annotated[
        _Fraction, Field(description="The deepest fall from a peak; 0 or less", examples=[-0.05])
    ]
    drawdown: DrawdownAnswer
    volatility: Annotated[_Fraction, Field(description="Of the returns of whole days, a year")]
    sharpe: _Fraction
    sortino: _Fraction
    calmar: _Fraction
    win_rate: Annotated[
        _Fraction, Field(description="Of the trades that closed something, how many gained")
    ]
    exposure: Annotated[
        _Fraction, Field(description="Mean of positions over the account's total, at ends of days")
    ]
    best_day: DayAnswer | None
    worst_day: DayAnswer | None
    deposits: Annotated[Amount, Field(description="Of a part of an account: what was bought")]
    withdrawals: Annotated[Amount, Field(description="Of a part of an account: what was sold")]
    profit: Annotated[Amount, Field(description="end_value - start_value - deposits + withdrawals")]
    realized_pnl: Annotated[Amount, Field(description="Of the trades of the range, before fees")]
    fees: Amount
    income: Annotated[Amount, Field(description="Dividends and interest")]
    start_value: Amount
    end_value: Annotated[Amount, Field(examples=[10007.5])]
    estimated: Annotated[
        bool, Field(description="Somewhere an own trade's price stood in for one of the market")
    ]
    unpriced: Annotated[
        list[str], Field(description="Held tickers without a current price at the end")
    ]
    contributions: list[ContributionAnswer]
    benchmark: BenchmarkAnswer | None
    days: Annotated[int, Field(description="Days of the desk's time zone, the last one included")]


class PartAnswer(Answer):
    """What the trades of a strategy, or of a source, made in the range."""

    name: Annotated[
        str | None,
        Field(description="Null: the trades without a strategy", examples=["breakout"]),
    ]
    profit: Annotated[Amount, Field(description="US dollars, after fees")]
    realized_pnl: Annotated[Amount, Field(description="At its own average cost, before fees")]
    income: Annotated[Amount, Field(description="Dividends")]
    fees: Amount
    end_value: Annotated[Amount, Field(description="Of what it holds at the end")]
    trades: int


class RestAnswer(Answer):
    """What belongs to no trade: interest, fees of the account, what was transferred in."""

    profit: Annotated[Amount, Field(examples=[-0.3])]
    income: Amount
    fees: Amount
    end_value: Annotated[Amount, Field(description="Of positions that are of no part")]


class AttributionAnswer(Answer):
    """What each part of an account made over a range, most first, and what belongs to none."""

    by: Annotated[str, Field(examples=["strategy"])]
    start: Moment
    end: Moment
    profit: Annotated[
        Amount, Field(description="Of the account: parts and rest add up to it exactly")
    ]
    parts: list[PartAnswer]
    rest: RestAnswer
    unpriced: Annotated[
        list[str], Field(description="Tickers without a current price at the end, of any part")
    ]


def attribution_fields(told: Attributed, by: str) -> dict[str, Any]:
    """Return the fields of an AttributionAnswer, by their names in JSON."""
    made = told.attribution
    return {
        "by": by,
        "start": told.start,
        "end": told.end,
        "profit": made.profit,
        "parts": [part._asdict() for part in made.parts],
        "rest": made.rest._asdict(),
        "unpriced": list(made.unpriced),
    }


def performance_fields(told: Told, benchmark: str | None) -> dict[str, Any]:
    """Return the fields of a PerformanceAnswer, by their names in JSON."""
    figures = told.figures

    def day(of: Day | None) -> dict[str, Any] | None:
        return None if of is None else {"date": told.zone.date(of.place), "return": of.change}

    return {
        "start": told.start,
        "end": told.end,
        "simple": figures.simple,
        "twr": figures.twr,
        "mwr": figures.mwr,
        "cagr": figures.cagr,
        "max_drawdown": figures.max_drawdown,
        "drawdown": _fall(figures.drawdown),
        "volatility": figures.volatility,
        "sharpe": figures.sharpe,
        "sortino": figures.sortino,
        "calmar": figures.calmar,
        "win_rate": figures.win_rate,
        "exposure": figures.exposure,
        "best_day": day(figures.best_day),
        "worst_day": day(figures.worst_day),
        "deposits": figures.deposits,
        "withdrawals": figures.withdrawals,
        "profit": figures.profit,
        "realized_pnl": figures.realized_pnl,
        "fees": figures.fees,
        "income": figures.income,
        "start_value": figures.start_value,
        "end_value": figures.end_value,
        "estimated": figures.estimated,
        "unpriced": list(figures.unpriced),
        "contributions": [_contribution(each) for each in figures.contributions],
        "benchmark": _benchmark(figures.benchmark, benchmark),
        "days": figures.days,
    }


def _fall(fall: Fall) -> dict[str, Any]:
    return {name: _moment(at) for name, at in fall._asdict().items()}


def _contribution(each: Contribution) -> dict[str, Any]:
    return each._asdict()


def _benchmark(beside: Beside | None, ticker: str | None) -> dict[str, Any] | None:
    if beside is None:
        return None
    return {
        "ticker": ticker,
        "since": _moment(beside.since),
        "return": beside.change,
        "beta": beside.beta,
        "correlation": beside.correlation,
        "alpha": beside.alpha,
    }


def _moment(instant: int | None) -> dt.datetime | None:
    return None if instant is None else moment_of(instant)
