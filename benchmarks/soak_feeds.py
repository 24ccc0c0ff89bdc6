"""Do the live feeds come back after every fault, with no wrong price and no leak?

All connectors run at once against their simulated venues. Prices flow all the time; every few seconds a
random fault, seeded, hits each venue. Whatever the market shows is checked: it must be a price that
was sent, and never one older than what was shown before. Prints one JSON document, and a table to stderr.

    python -m benchmarks.soak_feeds --minutes 30 --fault-every 3 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from arena.feeds.base import PriceUpdate
from arena.feeds.fakes.simulation import NAMES, VenueSimulation, make_simulation
from arena.feeds.live import LiveMarket, run_feeds

_EVERY = 0.02  # seconds between two prices of a symbol
_PATIENCE = 5.0  # the longest back-off of the simulations' connectors, and a busy machine's delay
_GIVEN_UP = 30.0
_BUSY = 12  # tasks and files that the connectors and simulations open and close all the time
# What the simulations and this program remember is full or small after some minutes: from then on memory is flat.
_SETTLED, _MEMORY_KIB = 15 * 60.0, 16 * 1024


class CheckedMarket(LiveMarket):
    """A market that checks all that it shows, at every price that comes."""

    def __init__(self, feeds: Sequence[Any], simulations: Sequence[VenueSimulation]) -> None:
        super().__init__(feeds)
        self.newest: dict[str, int] = {}
        self.faulty: Counter[str] = Counter()
        self.seen = 0
        self._walks = {symbol: simulation.walk for simulation in simulations for symbol in simulation.walk.made}
        self._news = asyncio.Event()

    def on_price(self, update: PriceUpdate) -> None:
        """Take the price and look at what a tick would see now."""
        super().on_price(update)
        for symbol, price in self.prices_at(time.time()).items():
            self._look(symbol, price)
        self._news.set()

    def _look(self, symbol: str, price: float) -> None:
        number = self._walks[symbol].number(symbol, price)
        self.seen += 1
        if number is None:
            self.faulty["never sent"] += 1
        elif number < self._least(symbol):
            self.faulty["older than before"] += 1
        else:
            self.newest[symbol] = number

    def _least(self, symbol: str) -> int:
        """Return the oldest price that may be shown: the one before any that the venue has taken back."""
        number = self.newest.get(symbol, -1)
        while (symbol, number) in self._walks[symbol].withdrawn:
            number -= 1
        return number

    async def until_newer(self, numbers: dict[str, int]) -> None:
        """Wait until every symbol shows a price with at least this number."""
        while not all(self.newest.get(symbol, -1) >= number for symbol, number in numbers.items()):
            self._news.clear()
            await self._news.wait()


@dataclass
class FaultLog:
    """The faults of one venue, and how many seconds each took to mend."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def summary(self) -> list[dict[str, Any]]:
        """Return a row for each fault."""
        return [
            {
                "fault": fault, "times": len(took), "mean_s": round(sum(took) / len(took), 3),
                "longest_s": round(max(took), 3),
            }
            for fault, took in sorted(self.seconds.items())
        ]  # fmt: skip


async def soak(names: Sequence[str], seconds: float, fault_every: float, seed: int) -> dict[str, Any]:
    """Run everything for so long, and return what was seen."""
    idle = _open()
    async with contextlib.AsyncExitStack() as stack:
        simulations = [await stack.enter_async_context(make_simulation(name, seed=seed)) for name in names]
        feeds = [simulation.connector() for simulation in simulations]
        market = CheckedMarket(feeds, simulations)
        fault_logs = {simulation.name: FaultLog() for simulation in simulations}
        running = [asyncio.create_task(run_feeds(feeds, market))]
        running += [asyncio.create_task(_trade(simulation)) for simulation in simulations]
        used: list[dict[str, int]] = []
        try:
            await market.until_newer({symbol: 0 for simulation in simulations for symbol in simulation.walk.made})
            running.append(asyncio.create_task(_measure(used, seconds / 100)))
            async with asyncio.TaskGroup() as group:
                for simulation in simulations:
                    group.create_task(
                        _make_faults(simulation, market, fault_logs[simulation.name], seconds, fault_every, seed)
                    )
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    counts = {feed.name: dict(sorted(feed.counts.items())) for feed in feeds}
    # The other side of a socket may close it a moment later on a busy machine.
    for _ in range(100):
        if all(_open()[key] <= idle[key] for key in idle):
            break
        await asyncio.sleep(0.1)
    return {
        "seconds": seconds, "seed": seed, "prices_shown": market.seen, "faulty_prices": dict(market.faulty),
        "faults": {name: found.summary() for name, found in fault_logs.items()}, "counts": counts,
        "used": _growth(used), "left_open": {key: _open()[key] - idle[key] for key in idle},
    }  # fmt: skip


async def _trade(simulation: VenueSimulation) -> None:
    while True:
        for symbol in simulation.walk.made:
            await simulation.publish(symbol)
        await asyncio.sleep(_EVERY)


async def _make_faults(
    simulation: VenueSimulation,
    market: CheckedMarket,
    fault_log: FaultLog,
    seconds: float,
    fault_every: float,
    seed: int,
) -> None:
    """Make random faults until the time is over; wait each time until new prices flow."""
    chance = random.Random(f"{seed} {simulation.name}")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * fault_every)
        fault = chance.choice(sorted(simulation.faults))
        await simulation.faults[fault]()
        if fault in simulation.lasting:
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            await simulation.restore()
        took = await _seconds_to_recover(
            {symbol: len(made) for symbol, made in simulation.walk.made.items()}, market.until_newer
        )
        fault_log.seconds.setdefault(fault, []).append(took)


async def _seconds_to_recover(numbers: dict[str, int], wait: Callable[[dict[str, int]], Awaitable[None]]) -> float:
    began = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GIVEN_UP):
            await wait(numbers)
    return time.monotonic() - began


async def _measure(used: list[dict[str, int]], every: float) -> None:
    while True:
        used.append({**_open(), "resident_kib": _resident()})
        await asyncio.sleep(every)


def _growth(used: list[dict[str, int]]) -> dict[str, dict[str, float]]:
    """Return the median of the first and the last quarter of the run: in between, faults come and go."""
    quarter = -(-len(used) // 4)
    return {
        what: {
            "first": median(found[what] for found in used[:quarter]),
            "last": median(found[what] for found in used[-quarter:]),
            "most": max(found[what] for found in used),
        }
        for what in used[0]
    }


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() // 1024


def _open() -> dict[str, int]:
    return {"tasks": len(asyncio.all_tasks()), "files": len(list(Path("/proc/self/fd").iterdir()))}


def failures(found: dict[str, Any], patience: float = _PATIENCE) -> list[str]:
    """Return what is wrong with a result, one sentence each."""
    wrong = [f"{times} prices were shown that were {what}." for what, times in found["faulty_prices"].items()]
    wrong += [
        f"{name}: after '{row['fault']}' it took {row['longest_s']:g} s to a new price, not {patience:g}."
        for name, rows in found["faults"].items() for row in rows if row["longest_s"] > patience
    ]  # fmt: skip
    wrong += [
        f"{what} grew from {used['first']:g} to {used['last']:g}."
        for what, used in found["used"].items() if what != "resident_kib" and used["last"] > used["first"] + _BUSY
    ]  # fmt: skip
    memory = found["used"]["resident_kib"]
    if found["seconds"] >= _SETTLED and memory["last"] > memory["first"] + _MEMORY_KIB:
        wrong.append(f"The memory grew from {memory['first']:g} to {memory['last']:g} KiB.")
    return wrong + [f"{count} {what} were left open." for what, count in found["left_open"].items() if count > 0]


def _table(found: dict[str, Any]) -> str:
    lines = [f"{'VENUE':<10} {'FAULT':<24} {'TIMES':>5} {'MEAN s':>8} {'LONGEST s':>9}"]
    for name, rows in found["faults"].items():
        lines += [
            f"{name:<10} {r['fault']:<24} {r['times']:>5} {r['mean_s']:>8.3f} {r['longest_s']:>9.3f}" for r in rows
        ]
    lines.append(f"{found['prices_shown']:,} prices shown, faulty: {found['faulty_prices'] or 'none'}")
    lines += [
        f"{what}: {used['first']:,g} in the first quarter, {used['last']:,g} in the last, {used['most']:,g} at most"
        for what, used in found["used"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Soak and print; exit 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description="Live feeds against misbehaving venues.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--fault-every", type=float, default=3.0, help="seconds between two faults of a venue")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venues", nargs="+", choices=NAMES, default=list(NAMES))
    chosen = parser.parse_args()
    # A connector's warnings are right and many here; the table says what matters.
    logging.getLogger("arena.feeds").setLevel(logging.ERROR)
    found = asyncio.run(soak(chosen.venues, chosen.minutes * 60, chosen.fault_every, chosen.seed))
    print(json.dumps(found, indent=2))
    print(_table(found), *failures(found), sep="\n", file=sys.stderr)
    sys.exit(bool(failures(found)))


if __name__ == "__main__":
    main()
