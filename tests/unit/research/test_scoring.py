"""Scores of a domain: what must hold for any prices, and the example of docs/research.md."""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from paperdesk.research.scoring import (
    NEUTRAL,
    WEIGHTS,
    WINDOW,
    Factor,
    Observation,
    Scored,
    ranked,
    scored,
)
from support.processes import ROOT

PAGE = (ROOT / "docs" / "research.md").read_text()
CLOSES = st.decimals("0.01", "100000", places=2)
PACES = st.none() | st.decimals("0", "1000000000", places=3)
SERIES = st.lists(st.builds(Observation, CLOSES, PACES), min_size=1, max_size=WINDOW + 5)
DOMAINS = st.dictionaries(st.sampled_from("ABCDEFGHIJ"), SERIES, min_size=1, max_size=8)


def series(*closes: str, paces: tuple[str | None, ...] = ()) -> list[Observation]:
    padded = [*paces, *[None] * len(closes)]
    return [
        Observation(Decimal(close), None if pace is None else Decimal(pace))
        for close, pace in zip(closes, padded, strict=False)
    ]


def by_ticker(rows: list[Scored]) -> dict[str, Scored]:
    return {row.ticker: row for row in rows}


@given(DOMAINS)
def test_scores_and_percentiles_are_between_0_and_100(domain: dict[str, list[Observation]]) -> None:
    for row in scored(domain):
        assert 0 <= row.score <= 100
        assert row.factors.keys() == set(Factor)
        for measure in row.factors.values():
            assert 0 <= measure.percentile <= 100
            assert measure.value is not None or measure.percentile == NEUTRAL


@given(DOMAINS)
def test_ranks_are_1_to_n_by_score_then_ticker(domain: dict[str, list[Observation]]) -> None:
    rows = scored(domain)

    assert {row.ticker for row in rows} == domain.keys()
    assert [row.rank for row in rows] == list(range(1, len(domain) + 1))
    assert [row.ticker for row in rows] == ranked({row.ticker: row.score for row in rows})
    for first, second in pairwise(rows):
        assert (-first.score, first.ticker) < (-second.score, second.ticker)


@given(DOMAINS)
def test_the_mean_score_of_a_domain_is_50(domain: dict[str, list[Observation]]) -> None:
    scores = [row.score for row in scored(domain)]

    assert abs(sum(scores, Decimal(0)) / len(scores) - 50) <= Decimal("0.0001")


@given(DOMAINS, st.randoms())
def test_the_order_in_which_stocks_are_given_changes_nothing(
    domain: dict[str, list[Observation]], random: Any
) -> None:
    shuffled = list(domain)
    random.shuffle(shuffled)

    assert scored({ticker: domain[ticker] for ticker in shuffled}) == scored(domain)


@given(DOMAINS, st.sampled_from([Decimal(10) ** n for n in (-2, -1, 1, 3)]))
def test_the_unit_of_prices_and_of_paces_changes_nothing(
    domain: dict[str, list[Observation]], factor: Decimal
) -> None:
    """A stock that costs a hundred times as much and is traded as much more is as good."""
    one = min(domain)
    other = [Observation(o.close * factor, o.pace and o.pace * factor) for o in domain[one]]

    assert scored(domain | {one: other}) == scored(domain)


@given(DOMAINS)
def test_only_the_newest_observations_count(domain: dict[str, list[Observation]]) -> None:
    assert scored({t: each[-WINDOW:] for t, each in domain.items()}) == scored(domain)


@given(DOMAINS)
def test_who_is_better_in_every_factor_has_the_better_rank(
    domain: dict[str, list[Observation]],
) -> None:
    rows = scored(domain)
    for first in rows:
        for second in rows:
            pairs = [(first.factors[f], second.factors[f]) for f in Factor]
            if all(a.percentile > b.percentile for a, b in pairs):
                assert first.rank < second.rank


@given(DOMAINS, st.decimals("0.01", "1000", places=2))
def test_a_higher_last_price_never_lowers_the_percentile_of_momentum(
    domain: dict[str, list[Observation]], more: Decimal
) -> None:
    one = min(domain)
    *before, last = domain[one]
    before_it = by_ticker(scored(domain))[one].factors[Factor.momentum]
    higher = [*before, Observation(last.close + more, last.pace)]

    after = by_ticker(scored(domain | {one: higher}))[one].factors[Factor.momentum]

    assert after.percentile >= before_it.percentile


@given(SERIES, st.integers(2, 6))
def test_stocks_that_are_alike_share_the_middle_and_are_ranked_by_ticker(
    one: list[Observation], count: int
) -> None:
    rows = scored(dict.fromkeys("FEDCBA"[-count:], one))

    assert [row.ticker for row in rows] == sorted("FEDCBA"[-count:])
    assert {row.score for row in rows} == {NEUTRAL}


def test_weights_are_a_whole() -> None:
    assert WEIGHTS.keys() == set(Factor)
    assert sum(WEIGHTS.values()) == 1


def test_a_short_history_is_missing_and_counts_as_the_middle() -> None:
    rows = by_ticker(
        scored(
            {
                "LONG": series("1", "2", "3", "4", "5"),
                "OLD": series("5", "4", "3", "2", "1"),
                "NEW": series("1", "9"),
                "HALF": series("1", "2", "4"),
            }
        )
    )

    assert {measure.value for measure in rows["NEW"].factors.values()} == {None}
    assert rows["NEW"].score == NEUTRAL
    assert rows["HALF"].factors[Factor.momentum].value == 3
    assert rows["LONG"].factors[Factor.momentum].percentile == 100


def test_each_factor_begins_with_as_many_observations_as_it_needs() -> None:
    def known(*closes: str) -> set[str]:
        paces = tuple("1" for _ in closes)
        (row,) = scored({"A": series(*closes, paces=paces)})
        return {factor.value for factor, m in row.factors.items() if m.value is not None}

    assert known("1") == set()
    assert known("1", "2") == {"momentum", "relative_strength", "volume_change"}
    assert known("1", "2", "3") == {each.value for each in Factor}


def test_a_pace_of_nothing_at_all_is_no_base_for_a_change() -> None:
    (row,) = scored({"A": series("1", "1", "1", paces=("0", "0", "5"))})

    assert row.factors[Factor.volume_change].value is None


def test_a_calm_stock_is_better_than_a_wild_one() -> None:
    rows = by_ticker(scored({"CALM": series("10", "11", "12"), "WILD": series("10", "30", "12")}))

    assert rows["CALM"].factors[Factor.volatility].percentile == 100
    assert rows["WILD"].factors[Factor.volatility].percentile == 0


def test_the_largest_prices_there_are_overflow_nothing() -> None:
    tiny, huge = "0.000000001", "1000000000"
    rows = by_ticker(scored({"UP": series(tiny, huge, tiny, huge), "DOWN": series(huge, tiny)}))

    assert rows["UP"].factors[Factor.momentum].value == Decimal(10) ** 18 - 1


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table of the page whose heading begins so."""
    (text,) = re.findall(rf"^\| {heading}.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]


def test_the_example_of_the_page_is_what_comes_out() -> None:
    domain = {
        name: series(
            *closes.split(", "),
            paces=tuple(None if pace == "-" else pace for pace in paces.split(", ")),
        )
        for name, closes, paces in table("stock ")
    }

    shown = [
        [
            str(row.rank),
            row.ticker,
            plain(row.score),
            *(f"{plain(m.value)} ({plain(m.percentile)})" for m in row.factors.values()),
        ]
        for row in scored(domain)
    ]

    assert shown == table("rank ")


def test_the_page_has_the_weights() -> None:
    said = {row[0].strip("`"): Decimal(row[1]) for row in table("factor ")}

    assert said == {factor.value: weight for factor, weight in WEIGHTS.items()}


def plain(value: Decimal | None) -> str:
    return "-" if value is None else format(value.normalize() if value else Decimal(0), "f")
