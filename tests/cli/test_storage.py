"""`arena season archive` and `arena season export`, as a user calls them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.cli.conftest import Run


def test_a_season_is_archived_and_exported_whole(run: Run, played: Path, tmp_path: Path) -> None:
    done = run("season", "archive", "1", "--db", str(played))
    assert done.code == 0, done.err
    # The first tick and the last one stay.
    assert "54 rows of season 1 moved to" in done.out
    assert len(pl.read_parquet(tmp_path / "own.archive" / "season-1" / "equity-*.parquet")) == 5
    for kind, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet)):
        done = run("season", "export", "1", "--db", str(played), "--out", str(tmp_path / kind), "--format", kind)
        assert done.code == 0, done.err
        assert read(tmp_path / kind / f"equity.{kind}")["equity"].to_list() == [n / 7 for n in range(0, 50, 10)]
        assert len(read(tmp_path / kind / f"ticks.{kind}")) == 50
    done = run("season", "export", "1", "--db", str(played), "--out", str(tmp_path / "one"), "--table", "trades")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["trades.parquet"]


def test_what_cannot_be_archived_or_exported_is_said_in_one_sentence(run: Run, played: Path, tmp_path: Path) -> None:
    for words in (["archive", "7", "--db", str(played)], ["export", "7", "--db", str(played), "--out", str(tmp_path)]):
        done = run("season", *words)
        assert done.code == 4
        assert "There is no season 7." in done.err
    done = run("season", "archive", "1", "--db", str(tmp_path / "none.db"))
    assert done.code == 4
    assert "There is no database" in done.err
