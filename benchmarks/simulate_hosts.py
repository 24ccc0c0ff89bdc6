"""What gives first with 10, 100 and 1,000 hosts? A simulation of ticks, latencies and losses; no machine is measured.

    python -m benchmarks.simulate_hosts [--head-us US] [--host-us US] [--message-us US] [--bots N] [--json FILE]

The constants are those of one bot and tick: at the head, at a host, and of one message there and back. A host's answer
comes after its bots are through and a round trip of random length (log-normal). A tick is over when the slowest has
answered; who exceeds the deadline and its grace is lost, and its bots are away until they have been brought back.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import telling

_SECONDS = 1.0  # between two ticks
_PATIENCE = 0.5 + 0.3  # deadline and grace of a tick a second, as `Hosts` has them


@dataclass(frozen=True, slots=True)
class Constants:
    """What one bot and tick costs, in microseconds, and how hosts and network behave.

    A round trip takes `round_ms` at the median, with a log-normal spread of `spread`; a host fails once in `days`.
    """

    head_us: float
    host_us: float
    message_us: float
    round_ms: float = 0.5
    spread: float = 0.6
    days: float = 30.0
    recover_seconds: float = 10.0


def simulate(hosts: int, bots: int, constants: Constants, ticks: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Play ticks of so many hosts with so many bots each and return what comes out."""
    chance = np.random.default_rng(seed)
    trips = constants.round_ms / 1e3 * chance.lognormal(0.0, constants.spread, (ticks, hosts))
    # A host's own time varies with what else its machine does.
    work = constants.host_us / 1e6 * bots * chance.lognormal(0.0, 0.1, (ticks, hosts))
    answers = trips + work
    slowest = answers.max(axis=1)
    head = hosts * (bots * constants.head_us + constants.message_us) / 1e6
    # The head reads and records after the answers; its work does not run beside them.
    whole = np.minimum(slowest, _PATIENCE) + head
    slow = float((answers > _PATIENCE).mean())
    losses_a_day = hosts / constants.days + slow * hosts * 86_400 / _SECONDS
    away = min(1.0, losses_a_day / hosts * constants.recover_seconds / 86_400)
    return {
        "question": "SIMULATED: ticks of many hosts", "hosts": hosts, "bots": hosts * bots,
        "slowest_host_ms_p50": _ms(slowest, 50), "slowest_host_ms_p99": _ms(slowest, 99),
        "head_ms": round(1e3 * head, 1), "tick_ms_p50": _ms(whole, 50), "tick_ms_p99": _ms(whole, 99),
        "head_share_of_a_core": round(head / _SECONDS, 3), "holds_a_tick_a_second": bool(whole.max() < _SECONDS),
        "losses_a_day": round(losses_a_day, 1), "bot_ticks_missed_in_a_million": round(1e6 * away, 2),
    }  # fmt: skip


def _ms(values: Any, percent: float) -> float:
    return round(1e3 * float(np.percentile(values, percent)), 2)


def most_bots(hosts: int, constants: Constants) -> int:
    """Return how many bots altogether so many hosts can play at a tick a second, by bisection."""
    low, high = 1, 100_000
    while high - low > 1:
        middle = (low + high) // 2
        found = simulate(hosts, middle, constants, ticks=200)
        fits = found["holds_a_tick_a_second"] and found["slowest_host_ms_p99"] < 1e3 * _PATIENCE
        low, high = (middle, high) if fits else (low, middle)
    return low * hosts


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--head-us", type=float, required=True, help="Head: microseconds for a bot and tick.")
    parser.add_argument("--host-us", type=float, required=True, help="Host: microseconds for a bot and tick.")
    parser.add_argument("--message-us", type=float, default=300.0, help="Head: microseconds for a message both ways.")
    parser.add_argument("--bots", type=int, default=1000, help="Bots of each host.")
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    constants = Constants(told.head_us, told.host_us, told.message_us)
    found = [simulate(hosts, told.bots, constants) for hosts in (10, 100, 1000)]
    for figures in found:
        figures["most_bots_at_a_tick_a_second"] = most_bots(figures["hosts"], constants)
        telling.show(figures)
    telling.write(found, told.json)


if __name__ == "__main__":
    main()
