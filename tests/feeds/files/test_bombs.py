"""Small files that would become large: each is refused in a sentence before it takes the memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from arena.errors import MarketDataError
from arena.feeds.files import memory, series
from arena.feeds.files.sources import most_of_zstandard
from arena.feeds.history import load_history

START = 1_700_000_000


def refusal(path: Path, **how: int) -> str:
    with pytest.raises(MarketDataError) as found:
        load_history([str(path)], interval=None, **how)
    return str(found.value)


def test_as_many_symbols_as_times_are_counted_before_the_table_is_made(tmp_path: Path) -> None:
    path = tmp_path / "many.csv.gz"
    rows = "".join(f"{START + n},S{n},1\n" for n in range(300))
    path.write_bytes(gzip.compress(f"time,symbol,price\n{rows}".encode()))
    # 300 times of 300 symbols are 90,000 prices, all but 300 of them carried on.
    assert "300 times of 300 symbols, more than 89,999 prices" in refusal(path, most_cells=89_999)
    assert load_history([str(path)], interval=None, most_cells=90_000).prices.shape == (300, 300)


def test_rows_of_parquet_that_memory_cannot_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"time": range(START, START + 1000), "price": [1.0] * 1000}).write_parquet(path)
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 500 kB\nMemAvailable: 200 kB\n", "ascii")
    monkeypatch.setattr(memory, "MEMORY", told)
    # 256 bytes a row: 1,000 rows take 250 KiB.
    assert "has 1,000 rows" in refusal(path)
    told.write_text("MemTotal: 500 kB\nMemAvailable: 250 kB\n", "ascii")
    assert len(load_history([f"A={path}"], interval=None).times) == 1000


def test_more_prices_than_memory_has_room_for_are_refused_while_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "A.csv"
    # More than one block of text, so that it is looked between two of them.
    path.write_text("time,id,price,amount\n" + "".join(f"{START + n},{n},1.5,1\n" for n in range(400_000)))
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9000 kB\nMemAvailable: 3000 kB\n", "ascii")
    monkeypatch.setattr(memory, "MEMORY", told)
    monkeypatch.setattr(series, "_ROOM_EVERY", 100_000)
    assert "and memory for no more of them" in refusal(path)
    # What a grid does not show is not kept.
    assert len(load_history([f"A={path}"], interval=60.0).times) > 6_000


@pytest.mark.system
def test_one_long_text_in_many_rows_of_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    count = (1 << 30) // 100_000 + 1
    texts = pl.Series(["A" * 100_000], dtype=pl.String).new_from_index(0, count)
    pl.DataFrame({"time": range(START, START + count), "symbol": texts, "price": [1.0] * count}).write_parquet(
        path, compression="zstd", statistics=False
    )
    assert path.stat().st_size < 1 << 20
    assert "more than 1 GiB of text" in refusal(path)


def repeated(size: int, *, last: bool) -> bytes:
    """A block of zstandard that is one byte so many times."""
    return (size << 3 | 1 << 1 | last).to_bytes(3, "little") + b"1"


def zstandard(blocks: int) -> bytes:
    size = 128 << 10
    middle = repeated(size, last=False) * (blocks - 1)
    return b"\x28\xb5\x2f\xfd" + b"\x00\x88" + middle + repeated(size, last=True)


def test_a_zstandard_bomb_is_refused_by_its_blocks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.zst"
    path.write_bytes(zstandard(8193))
    assert path.stat().st_size < 40_000
    assert "may unpack to more than 1 GiB" in refusal(path)


def test_what_zstandard_unpacks_to_is_bounded_from_above() -> None:
    raw = b"\x28\xb5\x2f\xfd" + b"\x00\x88" + (9 << 3 | 1).to_bytes(3, "little") + b"123456789"
    assert most_of_zstandard(raw, 1 << 30) == 9
    assert most_of_zstandard(raw + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + raw, 1 << 30) == 18
    assert most_of_zstandard(zstandard(3), 1 << 30) == 3 << 17
    # Cut off in the head of the third block.
    assert most_of_zstandard(zstandard(3)[:-2], 1 << 30) == 2 << 17
    assert most_of_zstandard(b"no frame at all", 1 << 30) == 0
