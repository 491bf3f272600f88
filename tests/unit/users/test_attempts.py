"""How often somebody may ask."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from paperdesk.users.attempts import ALLOWED, LONGEST_WAIT, MOST_ADDRESSES, Attempts, Rates

START = datetime(2026, 11, 20, tzinfo=UTC)
SOMEBODY = ip_address("203.0.113.9")


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_after_ten_failures_in_a_minute_the_wait_doubles_up_to_a_limit() -> None:
    attempts = Attempts()

    waits = [attempts.fail(SOMEBODY, after(n)) for n in range(ALLOWED + 12)]

    assert waits[:ALLOWED] == [None] * ALLOWED
    assert waits[ALLOWED : ALLOWED + 4] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_WAIT


def test_ten_in_each_minute_are_not_too_many_but_eleven_are() -> None:
    slow, fast = Attempts(), Attempts()

    assert not any(slow.fail(SOMEBODY, after(6 * n)) for n in range(60))
    assert any(fast.fail(SOMEBODY, after(5.9 * n)) for n in range(60))


def test_after_a_quiet_minute_it_begins_anew() -> None:
    attempts = Attempts()
    for _ in range(ALLOWED + 5):
        attempts.fail(SOMEBODY, START)

    assert attempts.fail(SOMEBODY, after(60)) is None


def test_a_look_says_how_long_the_next_failure_is_too_many_and_counts_nothing() -> None:
    attempts = Attempts()
    assert attempts.wait(SOMEBODY, START) is None
    for n in range(ALLOWED):
        assert attempts.wait(SOMEBODY, after(n)) is None
        attempts.fail(SOMEBODY, after(n))

    assert [attempts.wait(SOMEBODY, after(9.5)) for _ in range(50)] == [51] * 50
    assert attempts.wait(SOMEBODY, after(60)) is None
    assert attempts.wait(SOMEBODY, after(-1)) is None
    assert attempts.fail(SOMEBODY, after(60)) is None


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    attempts = Attempts()
    for _ in range(ALLOWED):
        attempts.fail(SOMEBODY, after(3600))

    assert attempts.fail(SOMEBODY, START) is None


def test_addresses_are_counted_apart_but_all_of_one_ipv6_customer_together() -> None:
    attempts = Attempts()
    for n in range(ALLOWED):
        attempts.fail(ip_address(f"2001:db8::{n:x}"), START)

    assert attempts.fail(ip_address("2001:db8::ffff"), START) == 2
    assert attempts.fail(ip_address("2001:db8:0:1::1"), START) is None
    assert attempts.fail(SOMEBODY, START) is None


def test_however_many_addresses_fail_memory_is_bounded() -> None:
    attempts = Attempts()

    for n in range(MOST_ADDRESSES + 500):
        attempts.fail(ip_address(n), START)

    assert len(attempts) == MOST_ADDRESSES


def test_a_key_may_ask_as_often_as_is_set_and_briefly_twice_as_often() -> None:
    rates = Rates(5)

    waits = [rates.take("a", START) for _ in range(12)]

    assert waits == [None] * 10 + [1, 1]
    assert rates.take("b", START) is None
    assert [rates.take("a", after(1)) for _ in range(6)] == [None] * 5 + [1]


def test_a_rate_below_one_says_how_long_to_wait() -> None:
    rates = Rates(0.1)

    assert rates.take("a", START) is None
    assert rates.take("a", after(1)) == 9
