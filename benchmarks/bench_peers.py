"""How fast is a backtest beside other people's engines?

One market file of one-minute bars, one strategy (SMA 10/30, long or flat, orders fill at the next bar), and
each engine as a fresh process: ours as `arena backtest`, the peers in virtual environments of their own that
this program makes. Every engine must make the same fills. Rounds interleaved, medians.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arena import __version__
from benchmarks.bench_replay import SOURCE

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".venv-bench"
PEERS = ("backtesting", "nautilus_trader", "backtrader")
SLOW = {"backtrader"}  # it would take a minute a round
PATIENCE = 900.0
REPORT = "report.json"


class MissingPeerError(Exception):
    """A peer cannot be had here; the text says why."""


@dataclass
class Engine:
    """One engine, how it is started, and what its rounds took."""

    name: str
    version: str
    command: list[str]
    bars: int
    whole: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    fills: int = 0

    @property
    def is_ours(self) -> bool:
        """Say whether this is the arena."""
        return self.name.startswith("arena")

    def play(self, folder: Path) -> None:
        """Play the market once as a fresh process."""
        started = time.perf_counter()
        done = subprocess.run(self.command, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        self.whole.append(time.perf_counter() - started)
        if self.is_ours:
            report = json.loads((folder / REPORT).read_text("utf-8"))
            found = {"seconds": report["seconds"], "bars": report["ticks"], "fills": report["bots"][0]["trades"]}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
        assert found["bars"] == self.bars, f"{self.name} played {found['bars']} bars"
        self.run.append(found["seconds"])
        self.fills = found["fills"]

    def figures(self) -> dict[str, Any]:
        """Return the medians, and how far apart the fastest and the slowest round were."""
        whole, run = statistics.median(self.whole), statistics.median(self.run)
        return {
            "version": self.version, "bars": self.bars, "fills": self.fills,
            "whole_s": round(whole, 3), "run_s": round(run, 3),
            "whole_events_per_second": round(self.bars / whole), "run_events_per_second": round(self.bars / run),
            "whole_s_range": [round(min(self.whole), 3), round(max(self.whole), 3)],
        }  # fmt: skip


def write_market(path: Path, bars: int) -> None:
    """Write a random walk as a CSV of one-minute bars that every engine here can read."""
    close = np.round(60_000 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 2e-4, bars))), 5)
    opening = np.concatenate([[60_000.0], close[:-1]])
    times = 1_700_000_040 + 60 * np.arange(bars)
    columns = [times, opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(bars)]
    np.savetxt(
        path, np.column_stack(columns), fmt=["%d", *["%.5f"] * 4, "%d"], delimiter=",",
        header="time,open,high,low,close,volume", comments="",
    )  # fmt: skip


def environment(peer: str) -> Path:
    """Return the Python that has the peer, made at the first time."""
    wanted = HERE / "peers" / f"{peer}.txt"
    home = ENVIRONMENTS / f"{peer}-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = home / "bin" / "python", home / "installed.txt"
    if done.exists() and done.read_text("utf-8") == wanted.read_text("utf-8"):
        return python
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], stdout=sys.stderr, check=False).returncode:
        raise MissingPeerError("this Python cannot make a virtual environment.")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    tried = subprocess.run([*pip, "-r", wanted], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise MissingPeerError(_why(tried.stderr))
    done.write_text(wanted.read_text("utf-8"), "utf-8")
    return python


def _why(complaint: str) -> str:
    """Return pip's own reason where it names no place, else only that it failed."""
    reasons = re.findall(r"^ERROR: (No matching distribution found for \S+)", complaint, re.MULTILINE)
    return f"{reasons[-1]}." if reasons else "pip could not install it."


def _version(peer: str) -> str:
    return (HERE / "peers" / f"{peer}.txt").read_text("utf-8").splitlines()[0].partition("==")[2]


def _engines(folder: Path, bars: int, slow_bars: int) -> tuple[list[Engine], dict[str, str]]:
    """Return who plays, and who cannot and why; ours plays whatever any of them plays."""
    bot = folder / "sma.py"
    bot.write_text(SOURCE, "utf-8")
    engines, missing, markets = [], {}, {}
    for count in dict.fromkeys((bars, slow_bars)):
        path = markets[count] = folder / str(count) / "BTCUSDT.csv"
        path.parent.mkdir()
        write_market(path, count)
        command = [sys.executable, "-m", "arena", "backtest", str(bot), "--data", str(path), "--json", REPORT]
        engines.append(Engine("arena" if count == bars else "arena, few bars", __version__, command, count))
    for peer in PEERS:
        count = slow_bars if peer in SLOW else bars
        script = HERE / "peers" / f"play_{peer}.py"
        try:
            command = [str(environment(peer)), "-I", str(script), str(markets[count])]
        except MissingPeerError as error:
            missing[peer] = str(error)
        else:
            engines.append(Engine(peer, _version(peer), command, count))
    return engines, missing


def measure(bars: int = 500_000, slow_bars: int = 50_000, rounds: int = 5) -> dict[str, Any]:
    """Play all engines in turns and return their figures; `slow_bars` are those of the slowest peer."""
    with tempfile.TemporaryDirectory() as name:
        engines, missing = _engines(Path(name), bars, slow_bars)
        for turn in range(rounds):
            for engine in engines if turn % 2 else engines[::-1]:
                engine.play(Path(name))
    found: dict[str, Any] = {engine.name: engine.figures() for engine in engines}
    for row in found.values():
        for phase in ("whole", "run"):
            key = f"{phase}_events_per_second"
            row[f"arena_is_{phase}_times"] = round(found["arena"][key] / row[key], 2)
    ours = {engine.bars: engine.fills for engine in engines if engine.is_ours}
    return {
        "question": "a backtest beside other engines", "bars": bars, "rounds": rounds,
        "fills_apart": max(abs(engine.fills - ours[engine.bars]) for engine in engines),
        "engines": found | {peer: {"missing": why} for peer, why in missing.items()},
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=500_000)
    parser.add_argument("--slow-bars", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    found = json.dumps(measure(told.bars, told.slow_bars, told.rounds), indent=2)
    print(found)
    if told.json is not None:
        told.json.write_text(found + "\n", "utf-8")


if __name__ == "__main__":
    main()
