"""Figures for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arena.clock import CLOCK
from arena.web.context import AppState


class _Arena(Collector):
    def __init__(self, context: AppState) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        engine = self._context.engine
        yield GaugeMetricFamily("arena_tick", "Number of the last recorded tick", engine.market.n)
        yield GaugeMetricFamily("arena_tick_time_seconds", "Its time", engine.market.time)
        yield GaugeMetricFamily(
            "arena_tick_seconds", "Seconds the last tick took, recording included", engine.tick_seconds
        )
        bots = GaugeMetricFamily("arena_bots", "Bots by status", labels=["status"])
        for status, count in Counter(seat.status for seat in engine.roster.seats()).items():
            bots.add_metric([status], count)
        yield bots
        prices = GaugeMetricFamily("arena_price", "Last price", labels=["symbol"])
        for symbol, price in engine.market.prices.items():
            prices.add_metric([symbol], price)
        yield prices
        yield GaugeMetricFamily("arena_missed_beats", "Beats without a tick since the start", engine.beats.missed)
        yield GaugeMetricFamily("arena_clock_jumps", "Jumps of the system clock since the start", CLOCK.jumps)
        yield from _hosts(engine.hosts.rows())
        yield from _feeds(engine.source_status())


def _hosts(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    """Yield how each machine that plays bots beside this one is doing."""
    bots = GaugeMetricFamily("arena_host_bots", "Bots that a host plays", labels=["host"])
    seconds = GaugeMetricFamily("arena_host_tick_seconds", "Seconds the last tick took there", labels=["host"])
    memory = GaugeMetricFamily("arena_host_memory_bytes", "Memory that its workers take", labels=["host"])
    for row in rows:
        bots.add_metric([row["name"]], row["bots"])
        seconds.add_metric([row["name"]], row["tick_seconds"])
        memory.add_metric([row["name"]], row["memory"])
    yield from (bots, seconds, memory)


def _feeds(status: dict[str, Any]) -> Iterator[Metric]:
    """Yield how each live feed and each of its symbols is doing."""
    up = GaugeMetricFamily("arena_feed_up", "1 while a feed delivers", labels=["feed"])
    events = CounterMetricFamily("arena_feed_events", "What a feed has brought, by kind", labels=["feed", "kind"])
    for name, feed in status.get("feeds", {}).items():
        up.add_metric([name], feed["state"] == "live")
        for kind, count in feed["counts"].items():
            events.add_metric([name, kind], count)
    age = GaugeMetricFamily("arena_symbol_age_seconds", "Since news of a symbol came", labels=["feed", "symbol"])
    fresh = GaugeMetricFamily("arena_symbol_fresh", "1 while a symbol can be traded", labels=["feed", "symbol"])
    for name, symbol in status.get("symbols", {}).items():
        age.add_metric([symbol["feed"], name], symbol["age"])
        fresh.add_metric([symbol["feed"], name], symbol["state"] == "fresh")
    yield from (up, events, age, fresh)


def exposition(context: AppState) -> tuple[bytes, str]:
    """Return the metrics' text and its content type."""
    registry = CollectorRegistry()
    registry.register(_Arena(context))
    return generate_latest(registry), CONTENT_TYPE_LATEST
