"""The status document: the choices made at the start, the state of every part, and notes in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database

from arena import __version__
from arena.clock import CLOCK
from arena.core.season_rules import SeasonRules
from arena.dates import spoken
from arena.engine.live.engine import Engine
from arena.llm.models import TEMPLATE, Models
from arena.store import queries
from arena.web.context import SeasonRun

_SEASON = (
    "id", "number", "status", "feed", "feed_note", "symbols", "interval", "starting_cash", "fee_bps",
    "slippage_bps", "isolation", "opened_at", "seed_sha256", "predictable", "seed", "starts_at",
    "ends_at", "entry_deadline",
)  # fmt: skip
_NOT_FRESH = {
    "halted": "of before a trading halt: orders on them are rejected",
    "stale": "old: orders on them are rejected",
    "closed": "those of a closed market",
}


@dataclass(frozen=True, slots=True)
class Generator:
    """Who writes bots here: a model, or the template provider."""

    kind: str
    model: str

    @property
    def note(self) -> str:
        """Return the sentence that says so."""
        if self.kind == "model":
            return f"Bots are written by the model {self.model}."
        return "No model is configured: bots are written by the template provider, from rules."


def generator_of(models: Models) -> Generator:
    """Return who writes bots where a request names no model."""
    return Generator("template" if models.default == TEMPLATE else "model", models.default)


def arena_status(
    run: SeasonRun,
    database: Database,
    confinement: dict[str, Any],
    generator: Generator,
    proof: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the status document of a running season."""
    engine = run.engine
    market, season = engine.market, queries.season_row(database, run.season.id)
    return {
        "version": __version__,
        "state": engine.state,
        "season": {**{name: season[name] for name in _SEASON}, "rules": SeasonRules.of(season).document()},
        "tick": {"n": market.n, "time": market.time} if market.n >= 0 else None,
        "tick_seconds": engine.tick_seconds,
        "clock": {"missed_beats": engine.beats.missed, "jumps": CLOCK.jumps, "ahead_seconds": CLOCK.ahead},
        "feeds": engine.source_status(),
        "generator": {"kind": generator.kind, "model": generator.model},
        "isolation": {**{key: confinement[key] for key in ("level", "layers", "notes")}, "proof": proof},
        "hosts": engine.hosts.rows(),
        "bots": dict(Counter(seat.status for seat in engine.roster.seats())),
        "notes": [*run.notes, *confinement["notes"], *_notes(engine)],
    }


def _notes(engine: Engine) -> Iterator[str]:
    """Say what is unusual just now."""
    if engine.problem is not None:
        yield f"The clock stands, since ticks cannot be recorded: {engine.problem}."
    elif engine.state == "waiting":
        begins = engine.season.starts_at if engine.market.n < 0 else None
        yield (
            "No prices have come yet: the clock waits."
            if begins is None or begins <= CLOCK.now()
            else f"The season begins at {spoken(begins)}: the clock waits for it."
        )
    if engine.tick_seconds > engine.season.interval:
        yield f"Ticks take longer than their interval: {engine.beats.missed} ticks were left out."
    source = engine.source_status()
    for name, feed in source.get("feeds", {}).items():
        if feed["state"] in {"down", "failed"}:
            yield f"The {name} feed is down: {feed['detail']}"
    for state, words in _NOT_FRESH.items():
        found = [name for name, symbol in source.get("symbols", {}).items() if symbol["state"] == state]
        if found:
            yield f"The prices of {', '.join(found)} are {words}."
    for name, end in source.get("resolved", {}).items():
        yield f"{name} has ended. {end['detail']}".rstrip()
    if CLOCK.ahead:
        yield f"The system clock was set back: the arena's is {CLOCK.ahead:.0f} s ahead of it."
