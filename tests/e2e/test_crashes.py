"""The short form of `make soak`: whatever is killed, nothing is lost, doubled or remembered wrongly."""

from __future__ import annotations

from pathlib import Path

from benchmarks.soak_crash import soak


def test_after_every_kind_of_kill_all_records_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    report = soak(4, 1, tmp_path / "soak", lambda _: None)
    assert report["problems"] == []
    assert report["done"] == {"server": 2, "zygote": 1, "worker": 1}
    assert report["ticks"] > 40
    assert len(report["proofs"]) >= 6
