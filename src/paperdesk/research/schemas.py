"""The bodies of the research routes. Prices are US dollars, volumes shares, scores 0 to 100."""

from typing import Annotated

from pydantic import AfterValidator, Field

from paperdesk.api.codec import Amount, Answer, Ask, Label, Moment
from paperdesk.research.queries import Standing, in_order
from paperdesk.research.scoring import WEIGHTS, Factor


def domain_name(text: str) -> str:
    """Return a domain's name with single spaces. Raises ValueError for one that no path can have.

    A path keeps neither an empty part between two slashes nor one that is a dot or two.
    """
    name = " ".join(text.split())
    if not name.isprintable() or any(part.strip() in {"", ".", ".."} for part in name.split("/")):
        raise ValueError(
            "must be a name such as AI/Tech, whose parts between slashes say something"
        )
    return name


DomainName = Annotated[Label, AfterValidator(domain_name)]


class DomainRequest(Ask):
    """A domain to add."""

    name: Annotated[DomainName, Field(examples=["AI/Tech"])]


class DomainAnswer(Answer):
    """A domain, and how many stocks it has."""

    id: Annotated[str, Field(examples=["01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"])]
    name: Annotated[str, Field(examples=["AI/Tech"])]
    stocks: Annotated[int, Field(examples=[5])]


class StockRequest(Ask):
    """A stock to follow. Without a name it is called by its ticker, or keeps the one it has."""

    ticker: Annotated[str, Field(max_length=64, examples=["AVGO"])]
    name: Annotated[Label | None, Field(examples=["Broadcom Inc."])] = None
    domain: Annotated[DomainName, Field(examples=["AI/Tech"])]


class StockAnswer(Answer):
    """A stock that is followed; `last_updated` is when it was last fetched, null before that."""

    ticker: Annotated[str, Field(examples=["AVGO"])]
    name: Annotated[str, Field(examples=["Broadcom Inc."])]
    domain_id: Annotated[str, Field(examples=["01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"])]
    domain: Annotated[str, Field(examples=["AI/Tech"])]
    last_updated: Moment | None


class FactorAnswer(Answer):
    """A factor of a score: its value, null if missing, and where that stands in the domain."""

    value: Annotated[Amount | None, Field(examples=[0.0312])]
    percentile: Annotated[Amount, Field(description="0 to 100", examples=[75])]
    weight: Annotated[Amount, Field(examples=[0.35])]


class RankedStock(Answer):
    """A stock as it stood when it was last fetched; null is what there is not yet.

    `rank` is null too where the domain's last fetch had no price of it. `missing` are factors that
    its history is too short for; they count as 50.
    """

    ticker: Annotated[str, Field(examples=["NVDA"])]
    name: Annotated[str, Field(examples=["NVIDIA Corp."])]
    domain: Annotated[str, Field(examples=["AI/Tech"])]
    rank: Annotated[int | None, Field(examples=[1])]
    score: Annotated[Amount | None, Field(examples=[81.25])]
    close_price: Annotated[Amount | None, Field(examples=[176.3])]
    volume: Annotated[Amount | None, Field(examples=[171500])]
    fetched_at: Moment | None
    factors: Annotated[
        dict[Factor, FactorAnswer] | None,
        Field(
            examples=[
                {"momentum": {"value": 0.0312, "percentile": 75, "weight": 0.35}},
            ]
        ),
    ]
    missing: Annotated[list[Factor], Field(examples=[["volatility"]])]


class DomainRanking(Answer):
    """The stocks of a domain that score highest."""

    domain: Annotated[str, Field(examples=["AI/Tech"])]
    stocks: Annotated[int, Field(description="How many it has.", examples=[5])]
    last_fetched: Moment | None
    top: list[RankedStock]


class _Whole(Answer):
    """What is so for the whole desk."""

    source: Annotated[str, Field(description="Who gives the prices.", examples=["simulator"])]
    error: Annotated[
        str | None,
        Field(description="What the last fetch could not have; null: it had all."),
    ]
    best_overall: Annotated[
        RankedStock | None, Field(description="The highest score of all domains.")
    ]


class Rankings(_Whole):
    """Every domain with its best stocks."""

    last_fetched: Moment | None
    domains: list[DomainRanking]


class OneRanking(_Whole, DomainRanking):
    """One domain with its best stocks."""


def ranking_of(domain: str, standing: list[Standing], limit: int) -> DomainRanking:
    """Return the first stocks of a domain: those that were scored together, then the others."""
    best, others = in_order(standing)
    shown = [ranked_stock(each, rank) for rank, each in enumerate(best, start=1)]
    shown += [ranked_stock(each, None) for each in others]
    fetched = [each.stock.last_updated for each in standing if each.stock.last_updated]
    return DomainRanking(
        domain=domain,
        stocks=len(standing),
        last_fetched=max(fetched, default=None),
        top=shown[:limit],
    )


def best_of(rankings: list[DomainRanking]) -> RankedStock | None:
    """Return the stock that scored highest of all, the first by name if several did."""
    first = [each.top[0] for each in rankings if each.top and each.top[0].rank is not None]
    return min(first, key=lambda each: (-(each.score or 0), each.ticker), default=None)


def ranked_stock(standing: Standing, rank: int | None) -> RankedStock:
    """Return a stock with what its last snapshot says."""
    stock, last = standing.stock, standing.snapshot
    factors: dict[Factor, FactorAnswer] | None = None
    if last is not None and last.factors is not None:
        factors = {
            factor: FactorAnswer.model_validate({**last.factors[factor.value], "weight": weight})
            for factor, weight in WEIGHTS.items()
            if factor.value in last.factors
        }
    return RankedStock(
        ticker=stock.ticker,
        name=stock.name,
        domain=standing.domain,
        rank=rank,
        score=standing.score,
        close_price=last and last.close_price,
        volume=last and last.volume,
        fetched_at=last and last.fetched_at,
        factors=factors,
        missing=[factor for factor, each in (factors or {}).items() if each.value is None],
    )
