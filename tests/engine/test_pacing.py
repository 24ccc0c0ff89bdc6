"""When ticks happen: on the grid, never twice, at a recording's own pace if that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from arena.clock import Clock
from arena.engine.backtest.account import RecordedMarket
from arena.engine.live.pacing import LiveBeats, ReplayBeats, next_beat
from arena.engine.state import MarketState


def test_beats_are_multiples_of_the_interval() -> None:
    assert next_beat(1_700_000_000.2, 0.5) == 1_700_000_000.5
    assert next_beat(1_700_000_000.5, 0.5) == 1_700_000_001.0


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1_000.2
        self.beats = LiveBeats(1.0, Clock(lambda: self.time, lambda: self.time))


def test_a_tick_that_overruns_costs_the_beats_in_between_and_they_are_counted() -> None:
    watch, market = Watch(), MarketState()
    assert watch.beats.next(market) == (1_001.0, False)
    market.time, watch.time = 1_001.0, 1_001.4
    assert watch.beats.next(market) == (1_002.0, False)
    assert watch.beats.missed == 0
    market.time, watch.time = 1_002.0, 1_005.1
    assert watch.beats.next(market) == (1_006.0, False)
    assert watch.beats.missed == 3


def test_after_a_restart_with_a_clock_set_back_the_next_beat_is_after_the_last_tick() -> None:
    watch, market = Watch(), MarketState(n=5, time=5_000.0)
    beat, _ = watch.beats.next(market) or (0.0, True)
    assert beat == 5_001.0
    assert 0.0 < watch.beats.left(beat) <= 1.0


RECORDED = RecordedMarket(("X",), np.array([[100.0, 1.0], [101.0, 2.0], [105.0, 3.0]]))


def test_a_replay_without_a_speed_never_waits_and_says_which_tick_is_its_last() -> None:
    beats, market = ReplayBeats(RECORDED, 0.0, lambda: 7.0), MarketState()
    assert beats.next(market) == (100.0, False)
    assert beats.left(100.0) == 0.0
    market.n = 1
    assert beats.next(market) == (105.0, True)
    market.n = 2
    assert beats.next(market) is None


def test_a_replay_at_real_time_or_a_multiple_waits_as_long_as_the_recording_did() -> None:
    for speed, waits in ((1.0, (0.0, 1.0, 5.0)), (10.0, (0.0, 0.1, 0.5))):
        beats, market = ReplayBeats(RECORDED, speed, lambda: 7.0), MarketState()
        found = []
        for n in range(3):
            market.n = n - 1
            time, _ = beats.next(market) or (0.0, True)
            found.append(beats.left(time))
        assert found == pytest.approx(waits)
