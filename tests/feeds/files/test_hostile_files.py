"""No file ends in a traceback: it is read, or refused in one sentence, whatever is done to it."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import MarketDataError
from arena.feeds.history import load_history, read_tapes

DAY = 1704067200
ROWS = [(DAY + 60 * n, 10 + n, 12 + n, 9 + n, 11 + n, n) for n in range(12)]
NATIVE = "time,symbol,price\n" + "".join(f"{row[0]},A,{row[1]}\n" for row in ROWS)
BARS = "Date,Time,Open,High,Low,Close,Volume\n" + "".join(
    f"2024-01-01,{n:02}:00,{','.join(map(str, row[1:]))}\n" for n, row in enumerate(ROWS)
)
WIDE = "Price,Close,Close\nTicker,A,B\nDate,,\n" + "".join(f"2024-01-{n + 1:02},{n + 1},{n + 2}\n" for n in range(12))
COMMA = "Datum;Preis;Vol.\n" + "".join(f'{n + 1:02}.01.2024;"1.{n:03},50 €";1,5M\n' for n in range(12))
LISTS = json.dumps([list(row) for row in ROWS])
OBJECTS = json.dumps({"data": [{"t": row[0], "o": row[1], "h": row[2], "l": row[3], "c": row[4]} for row in ROWS]})
FRAMES = "".join(f'{DAY + n}.5: {{"e":"trade","s":"A","p":"{n + 1}","T":{DAY + n}000}}\n' for n in range(6))
TICKS = "".join(f"20240101 0000{n:02}000,1,3,0\n" for n in range(12))


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"time": [row[0] for row in ROWS], "price": [float(row[1]) for row in ROWS]}).write_parquet(out)
    return out.getvalue()


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", text)
    return out.getvalue()


TEXTS = [NATIVE, BARS, WIDE, COMMA, LISTS, OBJECTS, FRAMES, TICKS]
WHOLE = [*(text.encode() for text in TEXTS), gzip.compress(NATIVE.encode()), zipped(NATIVE), parquet()]
ODD_CELLS = st.sampled_from(
    [
     "", " ", "nan", "inf", "-inf", "1e999", "9" * 30, "-1", "0", "2024-13-45", "24:00", "99:99", "25", "1.2.3",
     "1,2,3",
     '"', "'", "\x1b[31m", "\u202e", "é", "\ud7ff", "NULL", "true", "[]", "{}", "1e-400",
     "2024-01-01T00:00:00+99:99",
     "04-AM", "13:00 PM", "12/31/9999", "0001-01-01", "-9223372036854775808", "%",
     "1_000", "٣", "2024-W01", "Z", "T", "$"]
)  # fmt: skip
CELLS = ODD_CELLS | st.integers(DAY, DAY + 99).map(str)
TOLD = [{}, {"columns": "time=1,price=2"}, {"columns": "time=1+2,price=3"}, {"bar": "end"}, {"zone": "EST"}]
HEADS = st.sampled_from(
    ["time", "Date", "Time", "Hour", "open", "high", "low", "close", "Close_A", "Close:A", "('Close', 'A')", "bid",
     "ask",
     "price", "symbol", "Code", "", "volume", "side", "action", "is_snapshot", "rtype", "publisher_id",
     "id", "Time (EET)",
     "Time (Nowhere/City)", "Time (UTC+99)", "0", "é", "\x00", "close.1", "BidClose", "AskClose", "Ticker"]
)  # fmt: skip


def is_read_or_refused(path: Path, **told: str) -> None:
    """Read a file; any error but a sentence fails the test."""
    refusal = ""
    tapes = []
    try:
        tapes = read_tapes([f"X={path}"], grid=None, **told)
    except MarketDataError as error:
        refusal = str(error)
    assert bool(refusal.strip()) is not bool(tapes)
    assert not any(sign in refusal for sign in "\x1b\u202e\x9b")
    assert all(len(times) == len(prices) > 0 for tape in tapes for times, prices in tape.series.values())


@pytest.mark.system
@settings(max_examples=60, deadline=None)
@given(content=st.sampled_from(WHOLE), data=st.data())
def test_files_that_are_cut_or_damaged_are_read_or_refused(tmp_path_factory, content, data):
    damaged = bytearray(content[: data.draw(st.integers(1, len(content)))])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "btcusd.csv"
    path.write_bytes(damaged)
    is_read_or_refused(path)


@pytest.mark.system
@settings(max_examples=40, deadline=None)
@given(text=st.sampled_from([NATIVE, BARS, WIDE, COMMA, TICKS]), data=st.data())
def test_tables_with_odd_cells_are_read_or_refused(tmp_path_factory, text, data):
    sign = ";" if text is COMMA else ","
    rows = [line.split(sign) for line in text.splitlines()]
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(ODD_CELLS)
    if data.draw(st.booleans()):
        column, cell = data.draw(st.integers(0, len(rows[-1]) - 1)), data.draw(ODD_CELLS)
        for row in rows[1:]:
            row[min(column, len(row) - 1)] = cell
    path = tmp_path_factory.mktemp("odd") / "btcusd.csv"
    path.write_text("\n".join(map(sign.join, rows)), "utf-8")
    is_read_or_refused(path)


@pytest.mark.system
@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(HEADS, min_size=1, max_size=7),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=7), min_size=1, max_size=6),
    sign=st.sampled_from(",;\t| "),
    told=st.sampled_from(TOLD),
)  # fmt: skip
def test_tables_of_odd_headers_are_read_or_refused(tmp_path_factory, names, rows, sign, told):
    path = tmp_path_factory.mktemp("headers") / "btcusd.csv"
    path.write_text("\n".join(sign.join(row) for row in [names, *rows]), "utf-8")
    is_read_or_refused(path, **told)


KEYS = [
    "data", "result", "time", "t", "c", "close", "price", "symbol", "columns", "index", "schema", "e", "type", "T",
    "last", "error", "1704067200", "2024-01-01",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["time", "price", "2024-01-01", str(DAY), "buy", "s", "AAPL", "\x1b[31m"]),
    lambda inner: st.lists(inner, max_size=6)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.system
@settings(max_examples=150, deadline=None)
@given(body=JSON, lines=st.booleans())
def test_json_of_any_shape_is_read_or_refused(tmp_path_factory, body, lines):
    path = tmp_path_factory.mktemp("json") / "btcusd.json"
    path.write_text((json.dumps(body) + "\n") * (1 + lines), "utf-8")
    is_read_or_refused(path)


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300),
    head=st.sampled_from(
        [b"", b"PAR1", b"ARROW1", b"\x1f\x8b", b"PK\x03\x04", b"[", b"time,price\n", b"\xff\xfe", b"BZh9"]
    ),
)
def test_random_bytes_are_refused(tmp_path_factory, content, head):
    path = tmp_path_factory.mktemp("random") / "btcusd"
    path.write_bytes(head + content)
    is_read_or_refused(path)


# Small files that unpack to large ones

CHILD = """
import resource, sys
from arena.errors import MarketDataError
from arena.feeds.history import load_history
load_history([sys.argv[2]], interval=None)
taken = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) << 10
resource.setrlimit(resource.RLIMIT_DATA, (taken + (120 << 20),) * 2)
try:
    print(len(load_history([sys.argv[1]], interval=60).times))
except MarketDataError as error:
    print("REFUSED", error)
"""


def bomb(size: int, line: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = line * ((1 << 20) // len(line))
    parts = [packer.compress(b"time,symbol,price\n")]
    parts += [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


@pytest.fixture(scope="module")
def lines() -> bytes:
    return bomb(160 << 20, b"1704067200,A,1\n")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that makes a process start all its threads."""
    path = tmp_path_factory.mktemp("small") / "small.csv"
    path.write_text("time,symbol,price\n" + "".join(f"{DAY + n},A,{n + 1}\n" for n in range(600_000)))
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA bounds mappings on Linux only")
@pytest.mark.parametrize(
    "kind",
    [
        "no line end",
        "zip in zip",
        *(pytest.param(kind, marks=pytest.mark.long) for kind in ("one line again and again", "nested", "zip", "json")),
    ],
)
def test_what_unpacks_to_far_more_than_it_is_ends_in_a_sentence(lines, small, tmp_path, kind):
    if kind == "no line end":
        content = bomb(160 << 20, b"1")
    elif kind == "nested":
        content = gzip.compress(gzip.compress(lines))
    elif kind == "json":
        packer = zlib.compressobj(9, wbits=31)
        content = (
            packer.compress(b"[") + b"".join(packer.compress(b" " * (1 << 20)) for _ in range(160)) + packer.flush()
        )
    elif kind in {"zip", "zip in zip"}:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("m.csv", "w") as member:
            member.write(b"time,symbol,price\n")
            for _ in range(160):
                member.write(b"1704067200,A,1\n" * ((1 << 20) // 15))
        content = out.getvalue()
        if kind == "zip in zip":
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive:
                archive.writestr("inner.zip", content)
            content = out.getvalue()
    else:
        content = lines
    path = tmp_path / "m.gz"
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(small)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        # As many threads on every machine: each has memory of its own.
        env={**os.environ, "POLARS_MAX_THREADS": "2", "MALLOC_ARENA_MAX": "2"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("REFUSED")
    assert len(done.stdout.splitlines()) == 1


def test_packings_within_packings_are_counted(tmp_path):
    content = NATIVE.encode()
    for _ in range(9):
        content = gzip.compress(content)
    path = tmp_path / "m.gz"
    path.write_bytes(content)
    with pytest.raises(MarketDataError, match="packed more than 4 times over"):
        load_history([str(path)], interval=None)


def test_an_archive_of_very_many_files_is_refused(tmp_path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2_500):
            archive.writestr(f"{number}.csv", "time,symbol,price\n1,A,1\n")
    with pytest.raises(MarketDataError, match=r"2,500 files, more than 2,000"):
        load_history([str(path)], interval=None)


def test_a_line_without_an_end_is_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(NATIVE.encode() + b"1" * (18 << 20))
    with pytest.raises(MarketDataError, match="a line of more than 16 MiB"):
        load_history([str(path)], interval=None)
