"""The simulation of luck computes all boards at once, and says what the arena's own comparisons say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulate_luck import KINDS, played, returns_of, watch


@pytest.mark.parametrize("kind", KINDS)
def test_boards_computed_at_once_are_those_that_are_played(kind: str) -> None:
    boards = []
    for seed in range(3):
        returns = returns_of(kind, np.random.default_rng([seed, 1]), 120, 6)
        # An edge so large that something is told apart, at a look that must be the same.
        returns[:, 0] += 1e-3
        boards.append(returns)
    found = watch(np.array(boards))
    assert [played(returns) for returns in boards] == found.any_pair.tolist()
    assert np.isfinite(found.any_pair).any()
    assert np.all(found.ahead[:, 0] >= found.any_pair)
