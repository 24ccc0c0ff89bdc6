"""The short form of `make soak`: whatever is killed, nothing is lost, doubled or remembered wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak_crash import soak

BOTS = 9  # the seven that are shipped, and two eager ones


def test_after_a_kill_all_records_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    report = soak(1, 1, tmp_path / "soak", lambda _: None)
    assert report["problems"] == []
    assert report["done"] == {"server": 1}
    assert len(report["proofs"]) == BOTS


@pytest.mark.long  # three more kinds of kill: of a server at its ticks, of the zygote, of a worker
def test_after_every_kind_of_kill_all_records_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    report = soak(4, 1, tmp_path / "soak", lambda _: None)
    assert report["problems"] == []
    assert report["done"] == {"server": 2, "zygote": 1, "worker": 1}
    assert report["ticks"] > 40
    assert len(report["proofs"]) == BOTS
