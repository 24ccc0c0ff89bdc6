"""The one way in for programs: check in a locked child, trial run, name, admission."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.core.orders import OrderStatus
from arena.core.text import clean_line, clean_name
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BacktestResult, BotSource, CheckedBot, hash_source, play_entries
from arena.engine.live.engine import Engine
from arena.errors import RefusedError
from arena.feeds.synthetic import SyntheticMarket
from arena.runtime.contract import read_facts
from arena.store.behaviour import report_of, save_report
from arena.store.queries import source_of
from arena.store.recovered import last_ticks
from arena.store.seasons import Enrolled, NewBot
from arena.submissions import findings
from arena.submissions.behaviour.claims import claims_of_answer, claims_of_source
from arena.submissions.behaviour.lineage import revision_material
from arena.submissions.behaviour.suite import Facts, Report, Subject, examine
from arena.submissions.trial import trial_preview
from sandbox.pool import Pool

log = logging.getLogger("arena.submissions")

_HISTORY_FLOOR = 60
_LISTS = {"manifold": "MARKETS"}  # what a venue's setting of symbols is called, where not SYMBOLS


@dataclass(slots=True)
class Examined:
    """What check and trial run say of a source.

    `findings` keep a bot from working: they send a generated one back to its writer, an upload is warned of them.
    """

    violations: list[dict[str, Any]]
    name: str = ""
    symbols: tuple[str, ...] = ()
    program: bytes = b""
    warnings: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    raises_mostly: str | None = None
    trial: dict[str, Any] | None = None

    @property
    def accepted(self) -> bool:
        """Say whether the source may take part."""
        return not self.violations


def problem(rule: str, message: str, hint: str) -> dict[str, Any]:
    """Return a violation that concerns the whole file."""
    return {"line": 1, "column": 1, "rule": rule, "message": message, "hint": hint}


def remedy_of(feed: str) -> str:
    """Return which setting adds a symbol to the market of a season's feed; for a recording there is none."""
    if feed.startswith("replay:"):
        return ""
    venues = ["binance"] if feed == "synthetic" else [name.partition(":")[0] for name in feed.split(",")]
    settings = [f"DATA_SOURCES__{venue.upper()}__{_LISTS.get(venue, 'SYMBOLS')}" for venue in venues]
    return f"; add it to {' or '.join(settings)}"


class Intake:
    """Examines and admits programs; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        pool: Pool,
        engine: Engine,
        trial_ticks: int,
        max_bots: int,
        most_of_owner: int = 0,
        play: Callable[[Sequence[CheckedBot], RecordedMarket, Rules], list[BacktestResult]] | None = None,
    ) -> None:
        """Prepare; `play` plays trial runs elsewhere, as `play_entries` does here."""
        self._database = database
        self._pool = pool
        self._engine = engine
        self._trial_ticks = trial_ticks
        self._max_bots = max_bots
        self._most_of_owner = most_of_owner
        self._play = play or partial(play_entries, pool)
        pool.keep_ready()

    # -- examining --------------------------------------------------------------------------------------

    def check(self, source: bytes, meanwhile: Callable[[], object] | None = None) -> Examined:
        """Check a source without a trial run; `meanwhile` is called while the checker works."""
        checked = self._pool.check(source, meanwhile)
        if not checked.accepted:
            return Examined(list(checked.violations))
        try:
            name, symbols = read_facts(checked.facts)
        except ValueError as error:
            return Examined([problem("load-limit", f"The checker's answer cannot be right: {error}.", "")])
        warnings = [*checked.warnings, *self._unpriced(symbols)]
        return Examined([], name, symbols, checked.program, warnings=warnings)

    def _unpriced(self, symbols: Sequence[str]) -> list[str]:
        known = self._engine.market.symbols
        remedy = remedy_of(self._engine.season.feed)
        return [
            f"{symbol} is not in this market{remedy} (the market has {', '.join(known)})."
            for symbol in symbols if known and symbol not in known
        ]  # fmt: skip

    def examine(self, source: bytes, *, before_trial: Callable[[], None] | None = None) -> Examined:
        """Check a source and, if it passes, let it run on the last ticks."""
        season, recorded = self._engine.season, []
        examined = self.check(source, lambda: recorded.extend(last_ticks(self._database, season.id, self._trial_ticks)))
        if not examined.accepted:
            return examined
        if before_trial is not None:
            before_trial()
        market = self._trial_market(examined.symbols, recorded)
        # What was checked is what runs, here and after admission.
        entry = CheckedBot(BotSource("trial", source), examined.name, examined.symbols, examined.program)
        result = self._play([entry], market, self._engine.rules)[0]
        self._judge_trial(examined, result, len(market))
        if result.play is not None:
            examined.trial = trial_preview(result.play, recorded=self._has_history(recorded))
        if examined.accepted:
            self._find_idle(examined, source, result)
        return examined

    def behaviour(self, examined: Examined, source: str, words: str = "", completion: str = "") -> Report:
        """Play a source that has passed the check over the tapes; claims come from the answer, or from the file."""
        season, market = self._engine.season, self._engine.market
        claims, notes = claims_of_answer(completion)
        if not claims.made:
            claims, more = claims_of_source(source)
            notes = [*notes, *more]
        known = dict(market.last_prices) or dict.fromkeys(season.symbols, 0.0)
        recorded = last_ticks(self._database, season.id, self._trial_ticks)
        last = self._trial_market(examined.symbols, recorded) if len(recorded) >= _HISTORY_FLOOR else None
        facts = Facts(known, season.interval, self._engine.rules, last)
        subject = Subject(source, examined.name, examined.symbols, examined.program)
        return examine(self._pool, subject, claims, words, facts, notes)

    def material(self, bot_id: str) -> dict[str, str]:
        """Return what a model is given of a bot that it is to change."""
        return revision_material(self._database, bot_id)

    def source_of(self, bot_id: str) -> str:
        """Return a bot's program."""
        return source_of(self._database, bot_id)

    def stored_report(self, subject: str) -> dict[str, Any] | None:
        """Return the report on a bot or a submission, None where there is none yet."""
        return report_of(self._database, subject)

    def keep_report(self, subject: str, document: dict[str, Any]) -> None:
        """Store the report on a bot or a submission."""
        save_report(self._database, subject, document)

    def _find_idle(self, examined: Examined, source: bytes, result: BacktestResult) -> None:
        assert result.play is not None
        known = self._engine.market.symbols
        strangers = findings.unknown_symbols(source, examined.symbols, known)
        if strangers and len(strangers) == len(examined.symbols):
            examined.findings += strangers
        orders = result.play.ledger.orders
        ticks = [order.tick for order in orders if order.status is OrderStatus.REJECTED]
        examined.findings += findings.dead_orders(source, orders, ticks)
        if not orders and not result.play.ledger.errors:
            examined.findings += findings.idle_stub(source)

    def _judge_trial(self, examined: Examined, result: BacktestResult, ticks: int) -> None:
        play = result.play
        assert play is not None
        if result.status == "failed":
            hint = "Make sure that the module can be loaded anywhere, at any time."
            message = f"The bot fails while it is loaded: {play.ledger.last_error}"
            examined.violations = [problem("load-failed", clean_line(message), hint)]
            return
        if result.endings:
            tick, verdict, reason = result.endings[0]
            hint = "Do less work in a tick, keep histories bounded, and return from on_tick."
            message = f"In the trial run, at tick {tick}, the bot {reason} ({verdict.name})."
            examined.violations = [problem("trial-run", message, hint)]
            return
        self._note_trial(examined, result, ticks)

    @staticmethod
    def _note_trial(examined: Examined, result: BacktestResult, ticks: int) -> None:
        assert result.play is not None
        ledger = result.play.ledger
        if ledger.errors:
            said = next((m for _, level, m in ledger.logs if level == "ERROR"), "an error")
            examined.warnings.append(
                f"In the trial run {ledger.errors} of {ticks} ticks raised an exception: {clean_line(said)}"
            )
            if ledger.error_ticks * 2 > ticks:
                examined.raises_mostly = clean_line(said)
        if not ledger.orders:
            examined.warnings.append(f"In the trial run of {ticks} ticks the bot placed no orders.")
        rejected = [order for order in ledger.orders if order.status is OrderStatus.REJECTED]
        if rejected:
            examined.warnings.append(
                f"In the trial run {len(rejected)} orders were rejected, the first: {rejected[0].reason}"
            )

    def _has_history(self, recorded: Sequence[Any]) -> bool:
        return len(recorded) >= min(_HISTORY_FLOOR, self._trial_ticks)

    def _trial_market(self, symbols: Sequence[str], recorded: list[tuple[float, dict[str, float]]]) -> RecordedMarket:
        """Return the last recorded ticks, or a synthetic market where there are not enough."""
        import numpy as np

        season = self._engine.season
        if self._has_history(recorded):
            names, rows = tuple(sorted({symbol for _, prices in recorded for symbol in prices})), recorded
        else:
            names = tuple(sorted({*self._engine.market.symbols, *symbols}))
            # Not the season's own market: that would be its future.
            made = SyntheticMarket("trial", names, season.interval)
            prices, rows = made.first(), []
            for n in range(self._trial_ticks):
                prices = made.next(n, prices) if n else prices
                rows.append((season.opened_at - (self._trial_ticks - n) * season.interval, prices))
        nan = float("nan")
        table = b"".join(
            struct.pack(f"<{1 + len(names)}d", time, *(prices.get(name, nan) for name in names))
            for time, prices in rows
        )
        values = np.frombuffer(table, dtype=np.float64).reshape(len(rows), 1 + len(names))
        return RecordedMarket(names, values)

    # -- admitting ----------------------------------------------------------------------------------------

    @property
    def prices(self) -> dict[str, float]:
        """Return the season's newest prices."""
        return dict(self._engine.market.last_prices)

    @property
    def rules(self) -> Rules:
        """Return the season's rules."""
        return self._engine.rules

    def retire(self, bot_id: str) -> None:
        """Retire a bot for good."""
        retire = self._engine.roster.retire
        self._engine.call(lambda: retire(bot_id)).result(timeout=60)

    @property
    def is_over(self) -> bool:
        """Say whether the season is closed, so that nothing can be admitted to it."""
        return self._engine.state in {"finished", "stopped"}

    def admit(self, examined: Examined, new: NewBot) -> Enrolled:
        """Let an examined program take part."""
        admit = self._engine.roster.admit
        # On the engine's thread, one after the other, so that two uploads cannot take one name.
        most = self._max_bots, self._most_of_owner
        enrolled = self._engine.call(lambda: admit(new, examined.program, *most)).result(timeout=60)
        if enrolled.created:
            name = enrolled.bot.bot_name
            log.info("Bot '%s' by %s is admitted (%s)", name, new.author, new.origin, extra={"bot": name})
        return enrolled

    def upload(
        self, source: bytes, *, author: str, origin: str = "upload", path: str | None = None,
        owner_id: str | None = None,
    ) -> tuple[Enrolled, list[str]]:  # fmt: skip
        """Examine and admit a handwritten bot, and say what is odd about it; RefusedError holds the violations."""
        examined = self.examine(source)
        if not examined.accepted:
            raise RefusedError("The bot is refused.", examined.violations)
        examined.warnings += [f"Line {f['line']}: {f['message']} {f['hint']}" for f in examined.findings]
        for warning in examined.warnings:
            log.warning("Bot '%s': %s", examined.name, warning, extra={"bot": examined.name})
        new = NewBot(
            name=examined.name, author=clean_name(author) or "local", origin=origin,
            source=source.decode("utf-8-sig"), source_hash=hash_source(source),
            symbols=examined.symbols, path=path, owner_id=owner_id,
        )  # fmt: skip
        return self.admit(examined, new), examined.warnings
