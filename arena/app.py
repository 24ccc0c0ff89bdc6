"""Puts one arena together from its settings, and takes it apart again in order."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine as Database

from arena import __version__
from arena.clock import CLOCK
from arena.config import ROOT, Settings
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.engine.live.journal import Journal
from arena.engine.live.memory_budget import budget
from arena.engine.live.sources import Source
from arena.feeds.runner import FeedRunner
from arena.llm.models import TEMPLATE, Models, models_of
from arena.market import Chosen, choose_market
from arena.store import queries
from arena.store.archive import runtime_facts
from arena.store.database import open_database, own_connections, upgrade
from arena.store.lease import Lease
from arena.store.seasons import carry_over, resume_or_open, set_isolation
from arena.submissions.budgets import Budgets, Limits
from arena.submissions.dropin import DropIn
from arena.submissions.intake import Intake
from arena.submissions.pipeline import Pipeline
from arena.submissions.prompt_text import SeasonFacts
from arena.submissions.store import SubmissionStore
from arena.web.context import AppState
from arena.web.jobs import Jobs
from arena.web.server import create_app
from sandbox.pool import Pool

log = logging.getLogger("arena")

_NOT_FRESH = {
    "halted": "of before a trading halt: orders on them are rejected",
    "stale": "old: orders on them are rejected",
    "closed": "those of a closed market",
}

RUNTIME = "arena.runtime.bot:BotRuntime"


@dataclass(frozen=True, slots=True)
class Generator:
    """Who writes bots here."""

    kind: str
    model: str


class Arena:
    """A server's parts; `start` on the main thread, which must outlive the pool.

    `proof` is what trying the forbidden acts on this host has shown, for the status page.
    """

    def __init__(self, settings: Settings, proof: dict[str, Any] | None = None) -> None:
        self.settings = settings
        self._proof = proof
        self.broadcast = Broadcast()
        self._models: Models = models_of(settings)
        self._pool = Pool(RUNTIME, settings.limits, on_zygote_death=self._zygote_died)
        self._feeds = FeedRunner()
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._lease: Lease | None = None
        self._pipeline: Pipeline | None = None
        self._notes: list[str] = []
        self._changing = threading.Lock()

    # -- start --------------------------------------------------------------------------------------------

    def start(self) -> FastAPI:
        """Open the database, lock the sandbox, choose the market, start the clock."""
        settings = self.settings
        self._database = open_database(settings.url)
        # Readers may use up every connection of theirs; the clock's are its own.
        self._clock_database = own_connections(self._database)
        self._lease = Lease(self._clock_database)
        upgrade(self._database)
        self._pool.start()
        confinement = self._pool.confinement
        log.info("Bots are isolated at level %s: %s", confinement["level"], ", ".join(confinement["layers"]))
        self._chosen = choose_market(settings, self._database, self._feeds)
        self._begin_season()
        self._jobs = Jobs(self._database, lambda data: self.broadcast.publish("job", data))
        self._ctx = self._make_context()
        return create_app(self._ctx)

    def _begin_season(self) -> None:
        self._open_season(self._chosen)
        self._engine = self._make_engine(self._chosen.make_source(self._season))
        first = self._pipeline is None
        pipeline = self._make_intake(self._engine)
        self._thread = threading.Thread(target=self._engine.run, name="engine")
        self._thread.start()
        if first:
            pipeline.start()
        self._dropin.start()

    def _end_season(self) -> None:
        if self._engine is None:
            return
        self._engine.shut_down()
        self._dropin.stop()
        if self._thread is not None:
            self._thread.join(timeout=8)
        self._chosen.end()

    def _open_season(self, chosen: Chosen) -> None:
        season, words = resume_or_open(self._database, chosen.plan, runtime=runtime_facts(), note=chosen.note)
        self._season = season
        carry_over(self._database, season)
        set_isolation(self._database, season.id, self._pool.confinement["level"])
        season.isolation = self._pool.confinement["level"]
        self.generator = self._choose_generator()
        self._notes += [note for note in (chosen.note, self._generator_note()) if note]
        for note in self._notes:
            log.info("%s", note)
        log.info("Market %s, %s", season.feed, words)

    def _choose_generator(self) -> Generator:
        model = self._models.default
        return Generator("template" if model == TEMPLATE else "model", model)

    def _generator_note(self) -> str:
        if self.generator.kind == "model":
            return f"Bots are written by the model {self.generator.model}."
        return "No model is configured: bots are written by the template provider, from rules."

    def _make_engine(self, source: Source) -> Engine:
        settings = self.settings
        disk = None if settings.database_url else Path(settings.db_path).resolve().parent
        journal = Journal(self._clock_database, lease=self._lease, min_free_disk=settings.min_free_disk, disk=disk)
        return Engine(
            self._clock_database,
            self._pool,
            source,
            self._season,
            self.broadcast,
            journal,
            log_bytes_a_day=settings.max_log_mb_per_day << 20,
            memory=budget(settings.bots_memory_mb),
        )

    def _make_intake(self, engine: Engine) -> Pipeline:
        settings = self.settings
        self._intake = Intake(self._database, self._pool, engine, settings.trial_ticks, settings.max_bots)
        facts = SeasonFacts(
            tuple(self._season.symbols), self._season.interval, self._season.starting_cash,
            self._season.fee_bps, settings.tick_cpu_soft,
        )  # fmt: skip
        if self._pipeline is None:
            self._pipeline = self._make_pipeline(facts)
        else:
            self._pipeline.enter_season(self._intake, facts)
        folder = Path(settings.bots_dir)
        if not folder.is_absolute() and not folder.is_dir():
            folder = ROOT / folder
        self._dropin = DropIn(folder, ROOT / "bots", self._database, engine, self._intake)
        return self._pipeline

    def _make_pipeline(self, facts: SeasonFacts) -> Pipeline:
        settings = self.settings
        if self._models.at_once:
            # Most of a second of Python, before the clock runs: at the first answer it would cost ticks.
            import openai  # noqa: F401
        live = Broadcast()

        def tell(data: dict[str, Any]) -> None:
            self.broadcast.publish("submission", data)
            live.publish("submission", data)

        self._desk = SubmissionStore(self._database, tell, settings.max_queue)
        budgets = Budgets(self._database, Limits.of(settings))
        return Pipeline(self._desk, self._intake, self._models, budgets, facts, settings.max_repairs, live)

    def _make_context(self) -> AppState:
        assert self._pipeline is not None
        return AppState(
            settings=self.settings, database=self._database, pool=self._pool, engine=self.engine,
            broadcast=self.broadcast, intake=self._intake, desk=self._desk, pipeline=self._pipeline, jobs=self._jobs,
            status=self.status, close_season=self.close_season, new_season=self.new_season,
        )  # fmt: skip

    # -- while it runs --------------------------------------------------------------------------------------

    def _zygote_died(self) -> None:
        if self._engine is not None:
            self._engine.zygote_died()

    @property
    def engine(self) -> Engine:
        """Return the running engine."""
        assert self._engine is not None
        return self._engine

    @property
    def database(self) -> Database:
        """Return the open database."""
        return self._database

    def status(self) -> dict[str, Any]:
        """Say what was chosen and how everything is doing."""
        engine = self.engine
        season = queries.season_row(self._database, self._season.id)
        shown = ("id", "number", "status", "feed", "feed_note", "symbols", "interval", "starting_cash",
                 "fee_bps", "slippage_bps", "isolation", "opened_at", "seed_sha256", "predictable", "seed")  # fmt: skip
        market = engine.market
        confinement = self._pool.confinement
        return {
            "version": __version__,
            "state": engine.state,
            "season": {name: season[name] for name in shown},
            "tick": {"n": market.n, "time": market.time} if market.n >= 0 else None,
            "tick_seconds": engine.tick_seconds,
            "clock": {"missed_beats": engine.beats.missed, "jumps": CLOCK.jumps, "ahead_seconds": CLOCK.ahead},
            "feeds": engine.source_status(),
            "generator": {"kind": self.generator.kind, "model": self.generator.model},
            "isolation": {
                **{key: confinement[key] for key in ("level", "layers", "notes")},
                "proof": self._proof,
            },
            "bots": dict(Counter(seat.status for seat in engine.roster.seats())),
            "notes": [*self._notes, *confinement["notes"], *self._live_notes()],
        }

    def _live_notes(self) -> list[str]:
        notes = []
        if self.engine.problem is not None:
            notes.append(f"The clock stands, since ticks cannot be recorded: {self.engine.problem}.")
        elif self.engine.state == "waiting":
            notes.append("No prices have come yet: the clock waits.")
        if self.engine.tick_seconds > self._season.interval:
            notes.append(f"Ticks take longer than their interval: {self.engine.beats.missed} beats were missed.")
        source = self.engine.source_status()
        for name, feed in source.get("feeds", {}).items():
            if feed["state"] in {"down", "failed"}:
                notes.append(f"The {name} feed is down: {feed['detail']}")
        for state, words in _NOT_FRESH.items():
            found = [name for name, symbol in source.get("symbols", {}).items() if symbol["state"] == state]
            if found:
                notes.append(f"The prices of {', '.join(found)} are {words}.")
        notes += [f"{name} has ended. {end['detail']}".rstrip() for name, end in source.get("resolved", {}).items()]
        if CLOCK.ahead:
            notes.append(f"The system clock was set back: the arena's is {CLOCK.ahead:.0f} s ahead of it.")
        return notes

    def close_season(self) -> dict[str, Any]:
        """Close the season: no tick follows until `new_season` or the next start."""
        if self._pipeline is not None:
            # What is being written meanwhile is admitted to the next season.
            self._pipeline.leave_season()
        self.engine.call(self.engine.finish).result(timeout=30)
        return {"season": self._season.number, "status": "closed"}

    def new_season(self) -> dict[str, Any]:
        """Close the season and open the next one with the same market and the present bots."""
        with self._changing:
            self.close_season()
            self._end_season()
            self._notes = []
            self._begin_season()
            context = self._ctx
            context.engine, context.intake = self.engine, self._intake
        self.broadcast.publish("status", {})
        return {"season": self._season.number, "status": "open"}

    # -- stop ---------------------------------------------------------------------

    def stop(self) -> None:
        """Finish the tick, flush, end the workers; nothing is left behind."""
        self.broadcast.close()
        if self._pipeline is not None:
            self._pipeline.live.close()
        if hasattr(self, "_jobs"):
            self._jobs.stop()
        self._end_season()
        if self._pipeline is not None:
            self._pipeline.stop()
        self._feeds.stop()
        self._pool.stop()
        if self._lease is not None:
            self._lease.release()
        if hasattr(self, "_database"):
            self._clock_database.dispose()
            self._database.dispose()
