"""Figures for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arena.web.context import Context


class _Arena(Collector):
    def __init__(self, context: Context) -> None:
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


def exposition(context: Context) -> tuple[bytes, str]:
    """Return the metrics' text and its content type."""
    registry = CollectorRegistry()
    registry.register(_Arena(context))
    return generate_latest(registry), CONTENT_TYPE_LATEST
