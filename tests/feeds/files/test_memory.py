"""Files larger than memory: a process that may not hold them loads them, and gets the same ticks."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from arena.feeds.base import History
from arena.feeds.files.reader import read
from arena.feeds.files.resample import assemble
from arena.feeds.files.sources import open_sources

# As many threads on every machine: each has memory of its own.
ENVIRONMENT = {**os.environ, "POLARS_MAX_THREADS": "2", "MALLOC_ARENA_MAX": "2"}
BLOCKS = 112
ROOM = 80 << 20  # bytes that the process may take beyond what its imports took
INTERVAL = 60.0
# What the limit bounds is all private memory that can be written to: heap, arrays, stacks of threads.
CHILD = """
import hashlib, resource, sys
from arena.feeds.files import reader, resample
from arena.feeds.history import load_history
load_history([sys.argv[3]], interval=60.0)
taken = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) << 10
resource.setrlimit(resource.RLIMIT_DATA, (taken + int(sys.argv[2]),) * 2)
market = load_history([sys.argv[1]], interval=60.0)
print(hashlib.sha256(market.times.tobytes() + market.prices.tobytes()).hexdigest(), market.defects)
"""


def block_of_trades() -> bytes:
    """About a mebibyte of Binance's trades, with a place for the day."""
    lines = [f"{n},{100 + n % 977 / 8:.8f},1.00000000,9.0,#####{n * 4300:08d},True,True\n" for n in range(18_000)]
    return "".join(lines).encode()


def write(path: Path, *, backward: bool, packed: bool) -> None:
    text = block_of_trades()
    if backward:
        text = b"".join(text.splitlines(keepends=True)[::-1])
    days = range(17000, 17000 + BLOCKS)
    with path.open("wb") as file:
        for day in reversed(days) if backward else days:
            block = text.replace(b"#####", str(day).encode())
            file.write(gzip.compress(block, 1) if packed else block)


def small(tmp_path: Path) -> Path:
    """A file that makes a process do all its imports and start its threads."""
    path = tmp_path / "SMALLUSDT-trades-2023-11-14.csv"
    path.write_bytes(block_of_trades().replace(b"#####", b"17000") + block_of_trades().replace(b"#####", b"17001"))
    return path


def read_at_once(path: Path) -> History:
    [(source, report)] = open_sources(str(path))
    tape = read(source, report, None, size=BLOCKS << 21)
    return assemble([tape], interval=INTERVAL, default_interval=1.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA bounds mappings on Linux only")
@pytest.mark.parametrize(
    ("backward", "packed"),
    [
        pytest.param(False, False, id="in order"),
        # The same of a file that is written in another way.
        pytest.param(True, False, id="newest first", marks=pytest.mark.long),
        pytest.param(False, True, id="gz", marks=pytest.mark.long),
    ],
)
def test_a_process_that_may_not_hold_a_file_gets_the_ticks_of_all_of_it(tmp_path, backward, packed):
    path = tmp_path / ("BTCUSDT-trades-2023-11.csv" + ".gz" * packed)
    write(path, backward=backward, packed=packed)
    arguments = [sys.executable, "-c", CHILD, str(path), str(ROOM), str(small(tmp_path))]
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    digest, _, defects = done.stdout.strip().partition(" ")
    whole = read_at_once(path)
    assert whole.times.nbytes * 20 < ROOM < BLOCKS << 20
    assert digest == hashlib.sha256(whole.times.tobytes() + whole.prices.tobytes()).hexdigest()
    assert defects == str(whole.defects)


LIMITED = """
import resource, sys
from arena.errors import MarketDataError
from arena.feeds.history import load_history
resource.setrlimit(resource.RLIMIT_AS, (400_000 << 10,) * 2)
try:
    print(len(load_history([sys.argv[1]], interval=60.0).times))
except MarketDataError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS bounds mappings on Linux only")
@pytest.mark.parametrize("loaded", [True, False], ids=["loaded before", "not loaded yet"])
def test_a_reader_for_which_there_is_no_room_ends_in_a_sentence(tmp_path, loaded):
    path = tmp_path / "market.csv"
    path.write_text("time,symbol,price\n1700000000,BTCUSDT,1.5\n")
    imports = "from arena.feeds.files import reader\n" if loaded else ""
    done = subprocess.run(
        [sys.executable, "-c", imports + LIMITED, str(path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "market.csv is read by polars, which does not fit" in done.stdout
    assert "ulimit -v" in done.stdout


CONVERTING = """
import resource, sys
from pathlib import Path
from arena.errors import MarketDataError
from arena.feeds import convert
taken = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
resource.setrlimit(resource.RLIMIT_AS, (taken + (int(sys.argv[3]) << 20),) * 2)
try:
    convert.convert([sys.argv[1]], Path(sys.argv[2]), interval=None)
except MarketDataError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS bounds mappings on Linux only")
def test_a_parquet_file_for_which_there_is_no_room_ends_in_a_sentence(tmp_path):
    path, out = tmp_path / "xbtusd.csv", tmp_path / "o.parquet"
    path.write_text("".join(f"{1_700_000_000 + n / 4:.2f},{n % 7 + 1}.5,1\n" for n in range(1000)))
    arguments = [sys.executable, "-c", CONVERTING, str(path), str(out), "200"]
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "o.parquet is written by polars, which does not fit" in done.stdout
    assert not out.exists()


WRITING = """
import resource, sys
from pathlib import Path
from arena.errors import MarketDataError
from arena.feeds import convert
from arena.feeds.files import memory
[path, out] = map(Path, sys.argv[1:])
convert.convert([str(path)], out.with_name("first.parquet"), interval=None)
taken = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
resource.setrlimit(resource.RLIMIT_AS, (taken + (600 << 20),) * 2)
convert.convert([str(path)], out, interval=None)
try:
    memory.require_room_to_write(out.name, 10_000_000)
except MarketDataError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS bounds mappings on Linux only")
def test_few_rows_are_written_where_there_is_no_room_for_many(tmp_path):
    path, out = tmp_path / "xbtusd.csv", tmp_path / "o.parquet"
    path.write_text("".join(f"{1_700_000_000 + n / 4:.2f},{n % 7 + 1}.5,1\n" for n in range(1000)))
    arguments = [sys.executable, "-c", WRITING, str(path), str(out)]
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "o.parquet is written by polars, which does not fit: it takes 738 MiB" in done.stdout
    assert out.exists()


@pytest.mark.system
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS bounds mappings on Linux only")
def test_a_parquet_file_that_does_not_fit_is_not_begun(tmp_path):
    path = tmp_path / "xbtusd.parquet"
    rows = 6_000_000
    frame = pl.DataFrame({"time": pl.int_range(rows, eager=True) + 1_700_000_000})
    frame.with_columns(price=pl.col("time") % 7 + 0.5, amount=pl.lit(1.0)).write_parquet(path)
    arguments = [sys.executable, "-c", CONVERTING, str(path), str(tmp_path / "o.csv"), "1100"]
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "xbtusd.parquet is read as a whole, which does not fit" in done.stdout
