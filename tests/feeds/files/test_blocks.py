"""A file read in small pieces gives what it gives when it is read at once, defects and all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import MarketDataError
from arena.feeds.files.reader import read
from arena.feeds.files.report import Report
from arena.feeds.files.resample import assemble
from arena.feeds.files.sources import open_sources

DAY = 1704067200
SYMBOL = st.sampled_from(["A", "B", "LONGER-SYMBOL"])
TIME = st.integers(0, 20_000).map(lambda t: f"{DAY + t / 1000:.3f}")
PRICE = st.sampled_from(["1", "2.5", "3.25", "0.1", "70000.12345678"])
GOOD = st.tuples(TIME, SYMBOL, PRICE)
# A block with one of these is read as text first, so that there should be blocks without.
BAD = st.one_of(
    st.tuples(TIME, SYMBOL, st.sampled_from(["nan", "0", "-1", "x", ""])),
    st.tuples(st.sampled_from(["", "soon", "nan"]), SYMBOL, PRICE),
)
ROWS = st.tuples(st.lists(GOOD, min_size=1, max_size=50), st.lists(BAD, max_size=3), st.randoms()).map(
    lambda drawn: drawn[2].sample([*drawn[0], *drawn[1]], len(drawn[0]) + len(drawn[1]))
)
ORDERS = st.sampled_from(["as drawn", "in order", "newest first", "stacked", "clock jump"])


def arranged(rows: list[tuple[str, str, str]], order: str) -> list[tuple[str, str, str]]:
    if order == "in order":
        return sorted(rows)
    if order == "newest first":
        return sorted(rows, reverse=True)
    if order == "stacked":
        return sorted(rows, key=lambda row: (row[1], row[0]))
    if order == "clock jump":
        late = (f"{DAY + 400}", "A", "5")
        return [*sorted(rows)[:3], late, *sorted(rows)[3:]]
    return rows


def table_of(rows: list[tuple[str, str, str]], *, symbols: bool) -> bytes:
    lines = [f"{time},{symbol},{price},1,q" if symbols else f"{time},{price},1,q" for time, symbol, price in rows]
    return "\n".join(["time,symbol,price,amount,note" if symbols else "time,price,amount,note", *lines]).encode()


def loaded(path: str, size: int, grid: float | None):
    """Everything that reading a file tells, in a form that can be compared."""
    [(source, report)] = open_sources(path)
    try:
        tape = read(source, report, None, grid=grid, size=size)
    except MarketDataError as error:
        return str(error)
    facts = {name: tape.fact(name) for name in tape.series}
    if grid is None:
        return {n: (t.tolist(), p.tolist()) for n, (t, p) in tape.series.items()}, tape.report.defects, facts
    market = assemble([tape], interval=grid, default_interval=1.0)
    assert tape.reread is not None
    times = {name: tape.reread(name, 0.0, 1e12).tolist() for name in tape.series}
    return (
        market.symbols, market.times.tolist(), str(market.prices.tolist()), market.defects,
        sorted(market.notes), facts, times,
    )  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(
    rows=ROWS,
    order=ORDERS,
    symbols=st.booleans(),
    size=st.integers(100, 900),
    grid=st.sampled_from([None, 0.1, 1.0, 7.0]),
)
def test_pieces_of_any_size_read_alike(tmp_path_factory, rows, order, symbols, size, grid):
    path = tmp_path_factory.mktemp("m") / "btcusd.csv"
    path.write_bytes(table_of(arranged(rows, order), symbols=symbols))
    assert loaded(str(path), size, grid) == loaded(str(path), 1 << 20, grid)


def rows_of_trades(count: int) -> bytes:
    rng = random.Random(5)
    lines = [f"{DAY + n * 0.37 + rng.random() / 4:.6f},{100 + rng.random():.4f},1" for n in range(count)]
    return ("time,price,amount\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_packed_files_are_read_in_pieces_too(tmp_path, pack):
    plain, packed = tmp_path / "btcusd.csv", tmp_path / "p" / "btcusd.csv"
    packed.parent.mkdir()
    text = rows_of_trades(3000)
    plain.write_bytes(text)
    middle = text.index(b"\n", len(text) // 2) + 1
    packed.write_bytes(pack(text[:middle]) + pack(text[middle:]))
    assert loaded(str(packed), 1000, 1.0) == loaded(str(plain), 1 << 20, 1.0)


def test_a_member_of_a_zip_file_is_read_in_pieces_too(tmp_path):
    plain, packed = tmp_path / "btcusd.csv", tmp_path / "m.zip"
    plain.write_bytes(rows_of_trades(3000))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "btcusd.csv")
    whole = loaded(str(plain), 1 << 20, None)
    assert loaded(str(packed), 1000, None) == whole


def test_an_archive_within_an_archive_is_opened(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("btcusd.csv", rows_of_trades(10))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    [(source, report)] = open_sources(str(tmp_path / "m.zip"))
    assert read(source, report, None).fact("BTCUSD").rows == 10


def test_a_damaged_member_is_named_even_if_its_beginning_is_good(tmp_path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("btcusd.csv", rows_of_trades(20_000))
    data = bytearray(path.read_bytes())
    data[500_000] ^= 1
    path.write_bytes(data)
    [(source, report)] = open_sources(str(path))
    with pytest.raises(MarketDataError, match="CRC"):
        read(source, report, None)


def test_many_late_rows_condemn_the_early_one_across_pieces(tmp_path):
    path = tmp_path / "btcusd.csv"
    early = f"{DAY + 9999},7,1\n".encode()
    text = rows_of_trades(300)
    path.write_bytes(text[:100].rpartition(b"\n")[0] + b"\n" + early + text[text[:100].rindex(b"\n") + 1 :])
    [(source, report)] = open_sources(str(path))
    tape = read(source, report, None, grid=1.0, size=256)
    assert report.defects == Counter(out_of_order=1)
    assert tape.fact("BTCUSD").rows == 300


def test_thinning_keeps_what_the_ticks_show_and_no_more(tmp_path):
    path = tmp_path / "btcusd.csv"
    path.write_bytes(rows_of_trades(2000))
    [(source, report)] = open_sources(str(path))
    tape = read(source, report, None, grid=60.0, size=1 << 20)
    [(source, _)] = open_sources(str(path))
    whole = read(source, Report(""), None)
    assert len(tape.series["BTCUSD"][0]) == 13 < tape.fact("BTCUSD").rows == 2000
    one, other = (assemble([t], interval=60.0, default_interval=1.0) for t in (tape, whole))
    assert np.array_equal(one.times, other.times)
    assert np.array_equal(one.prices, other.prices)


@pytest.mark.parametrize(
    "line",
    [
        '"{t}","A","{p}"', '{t},"A",{p}', '"{t}",A,"{p}"\r', '{t},"A" ,{p}', '{t},"A, B",{p}', '{t},"A ""x""",{p}',
        "{t}, A, {p}", "{t},A,{p},", "{t},A,{p} ",
    ],
)  # fmt: skip
def test_quotes_and_blanks_around_cells_cost_no_row(tmp_path, line):
    path = tmp_path / "m.csv"
    path.write_text("time,symbol,price\n" + "".join(line.format(t=n, p=n + 0.5) + "\n" for n in range(1, 50)))
    found = loaded(str(path), 1 << 20, None)
    assert found[1] == {}
    assert found[2].popitem()[1].rows == 49
    assert [prices for _, prices in found[0].values()] == [[n + 0.5 for n in range(1, 50)]]
