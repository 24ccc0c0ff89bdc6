"""Groups samples of one request by what they do, and asks the one question that tells the groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import hash_source
from arena.submissions.behaviour.conditions import Condition, walk
from arena.submissions.behaviour.player import BotPlayer, Run
from arena.submissions.behaviour.suite import Subject
from arena.submissions.behaviour.tapes import MarketSpec, cut, tapes_for
from sandbox.pool import Pool

# Bots that order the same on all of these do the same.
TELLING = ("swings", "gap", "crash")
_SIZE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Cluster:
    """Samples that do the same: their places in the request, and what sets them apart, in words."""

    members: tuple[int, ...]
    words: str

    def as_dict(self) -> dict[str, Any]:
        """Return the cluster as the API shows it."""
        return {"members": list(self.members), "words": self.words}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked, with a choice for each cluster, the largest first."""

    text: str
    clusters: tuple[Cluster, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the question as the API shows it."""
        return {"text": self.text, "choices": [each.as_dict() for each in self.clusters]}


def group_samples(pool: Pool, subjects: Sequence[Subject], spec: MarketSpec, rules: Rules) -> Question | list[int]:
    """Return the places of samples that all do the same, or the question that tells the clusters apart.

    Two samples do the same where their orders are equal, tick by tick, on three tapes.
    """
    tapes = [tape for tape in tapes_for(spec) if tape.name in TELLING]
    # All by one name, so that chance is the same for each.
    players = [BotPlayer(pool, each.program, "sample", hash_source(b"sample"), rules) for each in subjects]
    runs = [[player.play(tape.market) for tape in tapes] for player in players]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, played in enumerate(runs):
        groups.setdefault(tuple(_orders(run) for run in played), []).append(place)
    found = sorted(groups.values(), key=lambda members: (-len(members), members[0]))
    if len(found) <= 1:
        return found[0] if found else []
    firsts = [members[0] for members in found]
    number, tick = _first_difference([[_orders(run) for run in runs[place]] for place in firsts])
    market = tapes[number].market
    words = [
        _act(subjects[place], players[place], market, runs[place][number], tick) for place in firsts
    ]  # fmt: skip
    clusters = tuple(Cluster(tuple(members), told) for members, told in zip(found, words, strict=True))
    choices = " ".join(f"({n}) {each.words}" for n, each in enumerate(clusters, 1))
    moved = _moved(market, tick)
    return Question(f"The samples part where the price {moved}: which is meant? {choices}", clusters)


def _orders(run: Run) -> tuple[tuple[int, str, str, float], ...]:
    return tuple(
        (order.tick, order.symbol, order.side, round(order.size or 0.0, _SIZE_DIGITS)) for order in run.orders
    )  # fmt: skip


def _first_difference(played: Sequence[Sequence[tuple[tuple[int, str, str, float], ...]]]) -> tuple[int, int]:
    """Return the tape and the tick at which some of these first do different things."""
    for number in range(len(played[0])):
        each = [orders[number] for orders in played]
        ticks = sorted({order[0] for orders in each for order in orders})
        for tick in ticks:
            if len({tuple(order for order in orders if order[0] == tick) for orders in each}) > 1:
                return number, tick
    return 0, 0


def _act(subject: Subject, player: BotPlayer, market: RecordedMarket, run: Run, tick: int) -> str:
    """Say what a sample does at a tick and the condition that decides it."""
    trace = player.play(cut(market, tick + 1, {}), {tick}).traces.get(tick)
    did = walk(subject.source, trace) if trace is not None else None
    orders = [order for order in run.orders if order.tick == tick]
    deciding = [each for each in did.conditions if each.guards_order] if did is not None else []
    if orders:
        first = orders[0]
        why = _because([each for each in deciding if each.held])
        return f"{first.side.lower()} {first.size or 0.0:.6g} {first.symbol} here{why}."
    return f"wait here{_because([each for each in deciding if each.held is False], until=True)}."


def _because(conditions: Sequence[Condition], *, until: bool = False) -> str:
    if not conditions:
        return ""
    return f", {'until' if until else 'because'} `{conditions[-1].text}`"


def _moved(market: RecordedMarket, tick: int) -> str:
    now, before = market.rows[tick, 1], market.rows[max(0, tick - 10), 1]
    change = float(now / before - 1.0) * 100.0
    if abs(change) < 0.05:
        return "stands still"
    return f"has {'risen' if change > 0 else 'fallen'} by {abs(change):.2g}% over ten ticks"
