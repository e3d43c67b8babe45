"""The time left: right for even work, never negative, never jumping (P44)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gifthorse.stages.forecast import Forecast


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_even_work_is_foretold_within_a_quarter(workers: int) -> None:
    clock = Clock()
    forecast = Forecast([("evidence", 2.0)] * 40, workers, clock)
    for number in range(40):
        forecast.finish(str(number), "evidence", 2.0, 8.0)
        clock.now += 8.0 / workers
        left = forecast.left()
        if number >= 10:
            true = (39 - number) * 8.0 / workers
            assert left is not None
            assert abs(left - true) <= 0.25 * true or 39 - number < workers


def test_nothing_is_said_before_it_can_be_known() -> None:
    clock = Clock()
    forecast = Forecast([("evidence", 1.0)] * 9, 1, clock)
    assert forecast.left() is None
    forecast.finish("0", "evidence", 1.0, 1.0)
    assert forecast.left() is None
    clock.now = 11.0
    assert forecast.left() == 8.0


def test_kinds_have_rates_of_their_own() -> None:
    clock = Clock()
    forecast = Forecast([("slow", 1.0)] * 4 + [("fast", 1.0)] * 4 + [("unknown", 2.0)], 1, clock)
    for number in range(2):
        forecast.finish(f"s{number}", "slow", 1.0, 10.0)
        forecast.finish(f"f{number}", "fast", 1.0, 2.0)
    assert forecast.left() == pytest.approx(2 * 10 + 2 * 2 + 2 * 6.0)


def test_a_long_cell_foretells_itself() -> None:
    clock = Clock()
    forecast = Forecast([("trained", 500.0)], 1, clock)
    clock.now = 60.0
    forecast.advance("k", "trained", 1.0, 500.0, 60.0)
    assert forecast.left() is None, "a minute of preparation says nothing about the pace"
    forecast.advance("k", "trained", 101.0, 500.0, 80.0)
    assert forecast.left() == pytest.approx(399 * 20 / 100)
    forecast.finish("k", "trained", 500.0, 160.0)
    assert forecast.left() == 0.0


def test_nobody_helps_with_the_last_long_cell() -> None:
    clock = Clock()
    forecast = Forecast([("trained", 500.0), ("trained", 100.0)], 2, clock)
    clock.now = 60.0
    for done, seconds in ((1.0, 10.0), (51.0, 60.0)):
        forecast.advance("long", "trained", done, 500.0, seconds)
        forecast.advance("short", "trained", done, 100.0, seconds)
    assert forecast.left() == pytest.approx(449.0)


def test_nothing_left_is_zero() -> None:
    assert Forecast([]).left() == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0.1, 1e4), st.none() | st.floats(0, 1e4)), min_size=1, max_size=40
    ),
    st.integers(1, 4),
)
def test_never_negative_never_jumping(cells: list[tuple[str, float, float | None]], workers: int) -> None:
    clock = Clock()
    forecast = Forecast([(kind, weight) for kind, weight, _ in cells], workers, clock)
    last: float | None = None
    for number, (kind, weight, seconds) in enumerate(cells):
        forecast.advance(str(number), kind, weight / 2, weight, (seconds or 1.0) / 2)
        for finished in (False, True):
            if finished:
                forecast.finish(str(number), kind, weight, seconds)
            clock.now += 5.0
            left = forecast.left()
            assert left is None or left >= 0.0
            if last and left and (number, finished) != (len(cells) - 1, True):
                assert 0.5 * last * (1 - 1e-9) <= left <= 2 * last * (1 + 1e-9)
            last = left if left is not None else last
    assert forecast.left() == 0.0
