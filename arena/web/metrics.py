"""Figures for Prometheus: what was counted since the start, and what is read when it is asked for."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arena import __version__
from arena.clock import CLOCK
from arena.store import queries
from arena.submissions.states import FINAL, Status
from arena.web.context import AppState

_STATES = ("starting", "recovering", "running", "waiting", "finished", "failed", "stopped")
_UNDER_WAY = tuple(status for status in Status if status not in FINAL)


class _Present(Collector):
    """What can be read at any moment."""

    def __init__(self, context: AppState, streams: int) -> None:
        self._context = context
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        context, engine = self._context, self._context.engine
        built = GaugeMetricFamily("arena_build_info", "The version that runs", labels=["version"])
        built.add_metric([__version__], 1)
        yield built
        yield GaugeMetricFamily("arena_tick", "Number of the last recorded tick", engine.market.n)
        yield GaugeMetricFamily("arena_tick_time_seconds", "Its time", engine.market.time)
        yield GaugeMetricFamily(
            "arena_tick_seconds", "Seconds the last tick took, recording included", engine.tick_seconds
        )
        yield GaugeMetricFamily("arena_tick_interval_seconds", "Seconds between two ticks", engine.season.interval)
        yield GaugeMetricFamily("arena_season", "Number of the season that is played", engine.season.number)
        states = dict.fromkeys(_STATES, 0) | {engine.state: 1}
        yield _by("arena_state", "1 for the state that the clock is in", "state", states)
        yield _by("arena_bots", "Bots by status", "status", Counter(seat.status for seat in engine.roster.seats()))
        yield _by("arena_price", "Last price", "symbol", engine.market.prices)
        yield GaugeMetricFamily("arena_missed_beats", "Beats without a tick since the start", engine.beats.missed)
        yield GaugeMetricFamily("arena_clock_jumps", "Jumps of the system clock since the start", CLOCK.jumps)
        waiting = dict.fromkeys(map(str, _UNDER_WAY), 0) | queries.count_submissions(context.database, _UNDER_WAY)
        yield _by("arena_queue", "Strategies under way, by state", "status", waiting)
        yield GaugeMetricFamily("arena_streams", "Live streams that are open", self._streams)
        if not context.settings.database_url:
            free = shutil.disk_usage(Path(context.settings.db_path).resolve().parent).free
            yield GaugeMetricFamily("arena_disk_free_bytes", "Free space beside the database", free)
        yield from _hosts(engine.hosts.rows())
        yield from _feeds(engine.source_status())


def _by(name: str, words: str, label: str, values: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


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


def exposition(context: AppState, streams: int) -> tuple[bytes, str]:
    """Return the metrics' text and its content type; so many live streams are open."""
    present = CollectorRegistry()
    present.register(_Present(context, streams))
    return generate_latest(context.measures.registry) + generate_latest(present), CONTENT_TYPE_LATEST
