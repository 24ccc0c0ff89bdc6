"""A short run of the soak test: all feeds at once, with faults all the time."""

from __future__ import annotations

import asyncio

import pytest

from arena.feeds.fakes.simulation import NAMES
from benchmarks.soak_feeds import failures, soak


@pytest.mark.long  # faults need time; `test_contract` makes each of them once
def test_the_feeds_come_back_after_every_fault_with_no_wrong_price_and_no_leak() -> None:
    found = asyncio.run(soak(NAMES, seconds=10.0, fault_every=0.3, seed=7))
    assert failures(found, patience=20.0) == []  # the tests' machine may be busy
    assert all(sum(row["times"] for row in rows) >= 3 for rows in found["faults"].values())
    assert found["prices_shown"] > 100
