"""Puts one arena together from its settings, and takes it apart again in reverse order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from arena import __version__
from arena.config import ROOT, Settings
from arena.dates import AT_ONCE, SeasonDates
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.engine.live.journal import Journal
from arena.engine.live.memory_budget import budget
from arena.engine.live.observer import Observer
from arena.errors import ConflictError
from arena.feeds.runner import FeedRunner
from arena.hosts.backtests import FarmPlays
from arena.hosts.farm import Farm
from arena.hosts.link import HostLink
from arena.hosts.listener import HostListener, tls_context
from arena.llm.models import Models, models_of
from arena.log import name_season
from arena.market import choose_market
from arena.people.quotas import QuotaLimits
from arena.status import Generator, arena_status, generator_of
from arena.store.archive import runtime_facts
from arena.store.database import open_database, own_connections, upgrade
from arena.store.lease import Lease
from arena.store.models import Bot, Entry, Season
from arena.store.receipts import add_receipt, read_key
from arena.store.retention import Retention
from arena.store.seasons import carry_over, resume_or_open, set_isolation
from arena.submissions.budgets import BudgetLimits, Budgets
from arena.submissions.dropin import DropIn
from arena.submissions.intake import Intake
from arena.submissions.pipeline import Pipeline
from arena.submissions.prompt_text import SeasonFacts
from arena.submissions.samples import Samples
from arena.submissions.store import SubmissionStore
from arena.trust.season_report import keep_report
from arena.web.context import AppState, SeasonRun
from arena.web.farm import report_maker, works
from arena.web.jobs import Jobs
from arena.web.measures import Measures
from arena.web.reverify import Reverification
from arena.web.server import create_app
from arena.webhooks.outbox import Outbox
from sandbox.pool import Pool
from sandbox.process.launch import ZygoteLaunch

log = logging.getLogger("arena")
T = TypeVar("T")

RUNTIME = "arena.runtime.bot:BotRuntime"
# Seconds until this machine takes what no other of the farm has; those look once a second.
_FARM_PATIENCE = 2.0
_FARM_JOBS = 8  # that are given to the farm at once
_RESTORE_SECONDS = 60.0  # a database of an older version may take a while, once


class Arena:
    """A server's parts; `start` on the main thread, which must outlive the pool.

    `begun` is a zygote that is starting already. `proof` is what trying the forbidden acts on this host has shown, for
    the status page. `on_beat` is called at least once a second while the clock is alive, on its thread.
    """

    def __init__(
        self,
        settings: Settings,
        proof: dict[str, Any] | None = None,
        on_beat: Callable[[], None] = lambda: None,
        begun: ZygoteLaunch | None = None,
    ) -> None:
        self.settings = settings
        self._begun = begun
        self._measures = measures = Measures()
        self._observer = Observer(on_beat, measures.tick.observe, measures.judged)
        self._models: Models = models_of(settings)
        self.generator: Generator = generator_of(self._models)
        self.broadcast = Broadcast()
        self._proof = proof
        self._ends = ExitStack()
        self._run: SeasonRun | None = None
        self._changing = threading.RLock()
        self._stopping = False
        self._closing: list[threading.Thread] = []
        self._listener: HostListener | None = None
        self._farm: Farm | None = None

    def start(self) -> FastAPI:
        """Open the database, lock the sandbox, choose the market, start the clock; return the app to serve."""
        settings = self.settings
        self._database = self._on_stop(open_database(settings.url), lambda database: database.dispose())
        # Readers may use up every connection of theirs; the clock's are its own.
        self._clock_database = self._on_stop(own_connections(self._database), lambda database: database.dispose())
        self._lease = self._on_stop(Lease(self._clock_database), Lease.release)
        upgrade(self._database)
        self.signer = read_key(Path(settings.key_file))
        # A recording that nobody waits for is played a block of ticks at a time, over a page shared with each worker.
        pages = settings.feed.startswith("replay:") and not settings.replay_speed
        pool = Pool(
            RUNTIME, settings.limits, self._zygote_died, self._begun, pages=pages, tuned=settings.sandbox_tuning
        )
        self._pool = self._on_stop(pool, Pool.stop)
        self._pool.start()
        confinement = self._pool.confinement
        log.info("Bots are isolated at level %s: %s", confinement["level"], ", ".join(confinement["layers"]))
        feeds = self._on_stop(FeedRunner(), FeedRunner.stop)
        self._market = choose_market(settings, self._database, feeds)
        if settings.farm:
            self._farm = Farm(self._database, pool, works(), _FARM_PATIENCE)
        run = self._make_run()
        live = Broadcast()
        desk = self._make_desk(live)
        pipeline = self._on_stop(self._make_pipeline(desk, run, live), Pipeline.stop)
        # It ends after the season: a host that is let go earlier would look lost.
        self._listen_for_hosts()
        self._ends.callback(self._end_season)
        self._play(run)
        if self._listener is not None:
            self._listener.start()
        pipeline.start()
        self._on_stop(Retention(self._database, settings.retention_equity_days), Retention.stop).start()
        at_once = 1 if self._farm is None else _FARM_JOBS
        jobs = Jobs(self._database, lambda data: self.broadcast.publish("job", data), at_once)
        self._on_stop(jobs, Jobs.stop)
        outbox = self._on_stop(Outbox(self._database, private=settings.webhooks_private), Outbox.stop)
        outbox.start()
        # Streams end first: a reader must not hold up the rest.
        self._ends.callback(live.close)
        self._ends.callback(self.broadcast.close)
        self._context = AppState(
            settings=settings, database=self._database, pool=self._pool, run=run, broadcast=self.broadcast,
            desk=desk, pipeline=pipeline, jobs=jobs, signer=self.signer, outbox=outbox, status=self.status,
            close_season=self.close_season, new_season=self.new_season, measures=self._measures, farm=self._farm,
        )  # fmt: skip
        self._on_stop(Reverification(self._context, settings.reverify_hours), Reverification.stop)
        return create_app(self._context)

    def stop(self) -> None:
        """Finish the tick, flush, end the workers; nothing is left behind, however far the start has come."""
        with self._changing:
            self._stopping = True
        self._ends.close()
        for thread in self._closing:
            thread.join(timeout=20)

    # -- one season -----------------------------------------------------------------------------------------

    def _make_run(self, dates: SeasonDates = AT_ONCE) -> SeasonRun:
        """Resume the open season of this market, or open the next one with these dates, and make what plays it."""
        season, words = resume_or_open(
            self._database, replace(self._market.plan, dates=dates), runtime=runtime_facts(), note=self._market.note
        )
        carry_over(self._database, season, self._receipt)
        season.isolation = self._pool.confinement["level"]
        set_isolation(self._database, season.id, season.isolation)
        notes = tuple(note for note in (self._market.note, self.generator.note) if note)
        for note in notes:
            log.info("%s", note)
        name_season(season.number)
        log.info("Market %s, %s", season.feed, words)
        engine = self._make_engine(season)
        most_of_owner = QuotaLimits.of(self.settings).bots
        intake = Intake(
            self._database, self._pool, engine, self.settings.trial_ticks, self.settings.max_bots, most_of_owner,
            None if self._farm is None else FarmPlays(self._farm, short=True),
        )  # fmt: skip
        drop_in = DropIn(_folder(self.settings), ROOT / "bots", self._database, engine, intake)
        thread = threading.Thread(target=engine.run, name="engine")
        return SeasonRun(season, engine, intake, drop_in, thread, notes)

    def _receipt(self, connection: Connection, bot: Bot, entry: Entry) -> None:
        add_receipt(connection, bot, entry, self.signer, __version__)

    def _make_engine(self, season: Season) -> Engine:
        settings = self.settings
        disk = None if settings.database_url else Path(settings.db_path).resolve().parent
        journal = Journal(
            self._clock_database, lease=self._lease, min_free_disk=settings.min_free_disk, disk=disk,
            log_bytes=settings.retention_log_kb << 10,
        )  # fmt: skip
        return Engine(
            self._clock_database, self._pool, self._market.make_source(season), season, self.broadcast, journal,
            log_bytes_a_day=settings.max_log_mb_per_day << 20, memory=budget(settings.bots_memory_mb),
            receipt=self._receipt, snapshot_minutes=settings.snapshot_minutes,
            on_finish=partial(self._season_over, season.number), observer=self._observer,
            followed=self._market.plan.length is not None and self._market.plan.origin is None,
        )  # fmt: skip

    # -- other machines that play bots ------------------------------------------------------------------------

    def _listen_for_hosts(self) -> None:
        settings = self.settings
        if not settings.hosts_listen:
            return
        tls = tls_context(settings.hosts_certificate, settings.hosts_key) if settings.hosts_certificate else None
        listener = HostListener(
            self._database, settings.hosts_address, self._attach, self._detach, self._drain, self._hosts_doing, tls
        )
        self._listener = self._on_stop(listener, HostListener.stop)
        log.info("Hosts may connect to port %d", self._listener.port)

    @property
    def hosts_port(self) -> int | None:
        """Return the port that hosts connect to, None where none may."""
        return None if self._listener is None else self._listener.port

    def _attach(self, link: HostLink) -> None:
        engine = self.engine
        engine.call(lambda: engine.hosts.join(link))

    def _detach(self, link: HostLink, reason: str) -> None:
        engine = self.engine
        engine.call(lambda: engine.hosts.leave(link, reason))

    def _drain(self, name: str) -> None:
        engine = self.engine
        engine.call(lambda: engine.hosts.drain(name))

    def _hosts_doing(self) -> dict[str, dict[str, Any]]:
        return {
            row["name"]: {key: row[key] for key in ("bots", "tick_seconds", "memory")}
            for row in self.engine.hosts.rows()
        }

    def _make_desk(self, live: Broadcast) -> SubmissionStore:
        def tell(data: dict[str, Any]) -> None:
            self._measures.moved(data)
            self.broadcast.publish("submission", data)
            live.publish("submission", data)

        return SubmissionStore(self._database, tell, self.settings.max_queue)

    def _make_pipeline(self, desk: SubmissionStore, run: SeasonRun, live: Broadcast) -> Pipeline:
        settings = self.settings
        if self._models.at_once:
            # Most of a second of Python, before the clock runs: at the first answer it would cost ticks.
            import openai  # noqa: F401
        budgets = Budgets(self._database, BudgetLimits.of(settings))
        facts = _facts(run.season, settings)
        samples = Samples(self._database, desk, self._pool, settings.question_minutes * 60.0)
        return Pipeline(
            desk, run.intake, self._models, budgets, facts, settings.max_repairs, live, samples, self._measures.called
        )

    def _play(self, run: SeasonRun) -> None:
        """Start a season's clock, then its drop-in folder."""
        self._run = run
        for link in self._listener.links() if self._listener is not None else ():
            self._attach(link)
        run.thread.start()
        # The first answer shall tell exact accounts.
        run.engine.wait_until_restored(_RESTORE_SECONDS)
        run.drop_in.start()

    def _end_season(self) -> None:
        if self._run is None:
            return
        self._run.engine.shut_down()
        self._run.drop_in.stop()
        if self._run.thread.is_alive():
            self._run.thread.join(timeout=8)
        self._market.end()

    def close_season(self) -> dict[str, Any]:
        """Close the season: no tick follows until `new_season` or the next start."""
        # What is being written meanwhile is admitted to the next season.
        self._context.pipeline.leave_season()
        self.engine.call(self.engine.finish).result(timeout=30)
        return {"season": self.engine.season.number, "status": "closed"}

    def new_season(self, dates: SeasonDates = AT_ONCE) -> dict[str, Any]:
        """Close the season and open the next one with the same market and the present bots."""
        with self._changing:
            if self._stopping:
                raise ConflictError("The server is ending; its next start opens the next season.")
            self.close_season()
            self._end_season()
            run = self._make_run(dates)
            self._context.pipeline.enter_season(run.intake, _facts(run.season, self.settings))
            self._play(run)
            self._context.run = run
        self.broadcast.publish("status", {})
        return {"season": run.season.number, "status": "open"}

    def _season_over(self, number: int, came_to_its_end: bool) -> None:  # noqa: FBT001 - the engine calls it so
        """Write a closed season's report, and open the next one where seasons have a length."""
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=self._close_books, args=(number, came_to_its_end), name="season-end")
        self._closing.append(thread)
        thread.start()

    def _close_books(self, number: int, came_to_its_end: bool) -> None:  # noqa: FBT001 - a thread's target
        try:
            keep_report(self._database, number, self.signer, report_maker(self._farm))
        except Exception:
            log.exception("The report of season %d could not be written", number, extra={"season": number})
        if came_to_its_end and self.engine.followed:
            with self._changing:
                # Whoever has closed it by hand meanwhile, or ends the server, has the say.
                if not self._stopping and self.engine.season.number == number:
                    self.new_season()

    # -- while it runs --------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """Return the running season's engine."""
        assert self._run is not None
        return self._run.engine

    @property
    def database(self) -> Database:
        """Return the open database."""
        return self._database

    def status(self) -> dict[str, Any]:
        """Return the choices made at the start and the state of every part."""
        assert self._run is not None
        return arena_status(self._run, self._database, self._pool.confinement, self.generator, self._proof)

    def _zygote_died(self) -> None:
        if self._run is not None:
            self._run.engine.zygote_died()

    def _on_stop(self, part: T, end: Callable[[T], None]) -> T:
        """Return a part that `stop` will end, before the parts that were made earlier."""
        self._ends.callback(end, part)
        return part


def _facts(season: Season, settings: Settings) -> SeasonFacts:
    return SeasonFacts(
        tuple(season.symbols),
        season.interval,
        season.starting_cash,
        season.fee_bps,
        settings.tick_cpu_soft,
        season.delay_ticks,
    )


def _folder(settings: Settings) -> Path:
    """Return the drop-in folder; a relative one that is not in the working directory is the project's."""
    folder = Path(settings.bots_dir)
    return folder if folder.is_absolute() or folder.is_dir() else ROOT / folder
