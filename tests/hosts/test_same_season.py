"""A season comes out the same to the last bit whether one machine plays it or several."""

from __future__ import annotations

from typing import Any

import pytest

from arena.engine.seat import Life
from tests.hosts.conftest import Begin, Machines
from tests.hosts.seasons import BOTS, market, record

TICKS = 24


@pytest.fixture(scope="module")
def alone() -> dict[int, dict[str, Any]]:
    """What one machine makes of the season, by the delay of its orders; filled by the first test that plays it."""
    return {}


@pytest.mark.system
@pytest.mark.parametrize(("count", "delay"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 3)])
def test_a_season_is_the_same_on_several_hosts(
    begin: Begin, machines: Machines, alone: dict[int, dict[str, Any]], count: int, delay: int
) -> None:
    if delay not in alone:
        hand = begin(market(), delay=delay)
        for source in BOTS:
            hand.admit(source)
        hand.tick(TICKS)
        alone[delay] = record(hand)
    hosts = machines.join(count)
    hand = begin(market(), hosts, delay=delay)
    seats = [hand.admit(source) for source in BOTS]
    hand.tick(TICKS)
    playing = [seat for seat in seats if seat.life is Life.ACTIVE]
    assert {seat.host.name for seat in playing if seat.host is not None} == {host.name for host in hosts}
    assert all(seat.worker is None for seat in seats)
    found = record(hand)
    assert found == alone[delay]
    assert len(found["trades"]) > 20
    assert len(found["orders"]) > len(found["trades"])
