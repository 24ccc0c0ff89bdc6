"""The arena's clock never goes back, follows a jump forward, and does not drift."""

from __future__ import annotations

import pytest

from arena.clock import Clock


class Watches:
    """A wall clock and a steady one that a test moves."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 50.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def pass_time(self, seconds: float, jump: float = 0.0) -> float:
        self.wall += seconds + jump
        self.steady += seconds
        return self.clock.now()


def test_it_agrees_with_the_system_clock_and_follows_its_fine_adjustment() -> None:
    watches = Watches()
    for _ in range(100):
        watches.pass_time(10.0, jump=0.01)
    assert watches.clock.now() == watches.wall
    for _ in range(100):
        watches.pass_time(10.0, jump=-0.01)
    assert watches.clock.now() == pytest.approx(watches.wall, abs=0.02)
    assert watches.clock.jumps == 0


def test_a_jump_forward_is_followed_at_once() -> None:
    watches = Watches()
    assert watches.pass_time(1.0, jump=3_600.0) == watches.wall
    assert watches.clock.jumps == 1


def test_a_jump_back_is_not_followed_and_time_goes_on_steadily(caplog: pytest.LogCaptureFixture) -> None:
    watches = Watches()
    before = watches.clock.now()
    times = [watches.pass_time(1.0, jump=-3_600.0 * (n == 0)) for n in range(5)]
    assert times == [before + n for n in (1.0, 2.0, 3.0, 4.0, 5.0)]
    assert watches.clock.ahead == pytest.approx(3_600.0)
    assert watches.clock.jumps == 1
    assert len([record for record in caplog.records if record.name == "arena.clock"]) == 1
    # Once the system clock has caught up the two agree again.
    assert watches.pass_time(1.0, jump=3_600.0) == pytest.approx(watches.wall, abs=0.1)
    assert watches.clock.ahead == 0.0


def test_after_a_restart_time_goes_on_from_the_last_tick_at_the_earliest() -> None:
    watches = Watches()
    watches.clock.not_before(watches.wall + 100.0)
    assert watches.pass_time(1.0) == watches.wall + 100.0
    watches.clock.not_before(0.0)
    assert watches.pass_time(1.0) == watches.wall + 100.0
