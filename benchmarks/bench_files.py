"""What does a market file cost to load, against the fastest CSV reader reading the same file?

A million trades (500,000 prices of the native table) in several layouts: the arena parses them and
samples them to ticks of a second; polars only parses them. Rounds are interleaved, medians. Last,
whole processes: a fresh interpreter that loads the native table, against one that imports polars
and reads it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from arena.feeds.history import load_history

ROWS = 1_000_000
ROUNDS = 7
START = 1_700_000_000
Columns = tuple[list[int], list[float], list[float]]


def columns(rows: int) -> Columns:
    """Return times in microseconds, prices and sizes of a random walk."""
    rng = np.random.default_rng(7)
    times = START * 10**6 + np.sort(rng.integers(0, 40_000 * 10**6, rows))
    prices = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 1e-5, rows))), 2)
    return times.tolist(), prices.tolist(), np.round(rng.random(rows), 5).tolist()


def iso(micros: list[int], join: str) -> list[str]:
    """Return times as text."""
    return [str(text).replace("T", join) for text in np.array(micros, "M8[us]")]


def native(found: Columns) -> list[str]:
    """Return the arena's own table."""
    return ["time,symbol,price", *(f"{t / 1e6},BTCUSDT,{p}" for t, p in zip(*found[:2], strict=True))]


def binance(found: Columns) -> list[str]:
    """Return Binance's bulk trades."""
    return [
        f"{n},{p:.8f},{q:.8f},{p * q:.8f},{t // 1000},{'True' if n % 3 else 'False'},True"
        for n, (t, p, q) in enumerate(zip(*found, strict=True))
    ]


def kraken(found: Columns) -> list[str]:
    """Return Kraken's trades."""
    return [f"{t / 1e6:.6f},{p},{q}" for t, p, q in zip(*found, strict=True)]


def kraken_seconds(found: Columns) -> list[str]:
    """Return the same with times of whole seconds, so that rows of one time must be compared with each other."""
    return [f"{t // 1_000_000},{p},{q}" for t, p, q in zip(*found, strict=True)]


def coinbase(found: Columns) -> list[str]:
    """Return a capture of Coinbase's trades."""
    rows = zip(iso(found[0], "T"), *found[1:], strict=True)
    return ["symbol,side,price,amount,timestamp", *(f"BTC-USD,buy,{p},{q},{t}Z" for t, p, q in rows)]


def plain_iso(found: Columns) -> list[str]:
    """Return a table whose times have a blank, as databases write them."""
    return ["time,price,amount", *(f"{t},{p},{q}" for t, p, q in zip(iso(found[0], " "), *found[1:], strict=True))]


def quoted(found: Columns) -> list[str]:
    """Return a table with quotes around every cell, which takes the general reader."""
    rows = zip(iso(found[0], " "), *found[1:], strict=True)
    return ['"time","price","amount"', *(f'"{t}","{p}","{q}"' for t, p, q in rows)]


LAYOUTS: dict[str, tuple[str, Callable[[Columns], list[str]]]] = {
    "native": ("market.csv", native),
    "binance trades": ("BTCUSDT-trades-2023-11-14.csv", binance),
    "kraken trades": ("kraken_btcusd.csv", kraken),
    "kraken, whole seconds": ("kraken_xbtusd.csv", kraken_seconds),
    "coinbase, ISO": ("coinbase_btcusd.csv", coinbase),
    "ISO": ("iso_btcusd.csv", plain_iso),
    "ISO, quoted": ("quoted_btcusd.csv", quoted),
}


def compare(path: Path, rounds: int) -> dict[str, float]:
    """Return the medians of both sides in seconds, and how many times polars' time ours is."""
    header = path.read_bytes()[:1].isalpha() or path.read_bytes()[:1] == b'"'
    sides: dict[str, Callable[[], object]] = {
        "polars": lambda: pl.read_csv(path, has_header=header),
        "arena": lambda: load_history([str(path)], interval=1.0),
    }
    return ratio(sides, rounds)


def ratio(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time the sides in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            if number:
                seconds[name].append(time.perf_counter() - started)
    medians = {name: round(statistics.median(values), 4) for name, values in seconds.items()}
    return {**medians, "ratio": round(medians["arena"] / medians["polars"], 2)}


def processes(path: Path, rounds: int) -> dict[str, float]:
    """Compare fresh interpreters, imports and all."""

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)

    load = "import sys; from arena.feeds.history import load_history; load_history([sys.argv[1]], interval=None)"
    parse = "import sys, polars; polars.read_csv(sys.argv[1])"
    return ratio({"polars": lambda: run(parse), "arena": lambda: run(load)}, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="Fifty thousand rows, twice.")
    told = parser.parse_args()
    if told.quick:
        told.rows, told.rounds = 50_000, 2
    found, half = columns(told.rows), columns(told.rows // 2)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, lines) in LAYOUTS.items():
            path = Path(folder) / file
            path.write_text("\n".join(lines(half if name == "native" else found)) + "\n")
            figures[name] = compare(path, told.rounds)
        figures["native, whole process"] = processes(Path(folder) / LAYOUTS["native"][0], told.rounds)
    for name, row in figures.items():
        print(f"{name:24}" + "".join(f"{side:>10} {value:8.3f}" for side, value in row.items()), file=sys.stderr)
    trades = [name for name in LAYOUTS if name != "native"]
    document = {
        "question": "market file to ticks against polars' plain read of it",
        "worst_ratio": max(figures[name]["ratio"] for name in trades),
        "rows": told.rows, "rounds": told.rounds, "seconds": figures,
    }  # fmt: skip
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
