"""Tournaments over the web: a job each, bots of the season over many short rounds; what came out has an address."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from arena import __version__
from arena.core.exchange import Rules
from arena.engine.backtest import kept
from arena.engine.backtest.run import BotSource, check_candidates
from arena.errors import MarketDataError, NotFoundError, TooLargeError
from arena.feeds.synthetic_tiers import TIERS
from arena.store.bulk import Row
from arena.store.jobs import JobStatus, newest_job
from arena.trust.tournament import draw_rounds, tournament
from arena.trust.tournament_page import page_text, table_csv
from arena.web.backtests import MAX_CELLS, MAX_STEPS, open_or_failed, sources_of, tape_market, tapes_of
from arena.web.context import AppState
from arena.web.jobs import Asker, Told

TOURNAMENT = "tournament"  # the kind of its jobs
MAX_BOTS = 8
MAX_TAPES = 4
MAX_ROUNDS = 200
MAX_TICKS = 5000  # of a round
MAX_KEPT = 200
_ID = re.compile(r"[0-9a-f]{12}")
# A farm lets jobs run beside each other, and tournaments are played on this machine, of which live bots need the rest.
_ONE = threading.Lock()
# What is downloaded of one: made of what is kept.
FILES: dict[str, Callable[[Row], str]] = {
    "report.html": page_text,
    "table.csv": table_csv,
    "tournament.json": lambda found: orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a tournament is to play: bots by id or name, market files, made-up tiers, and rounds of so many ticks."""

    bots: tuple[str, ...]
    tapes: tuple[str, ...]
    tiers: tuple[str, ...]
    rounds: int
    ticks: int
    seed: int
    interval: float | None
    rules: Rules


def _folder(context: AppState) -> Path:
    return Path(context.settings.runs_dir) / "tournaments"


def kept_tournaments(context: AppState) -> list[Row]:
    """Return the tournaments that are kept, newest first."""
    found = [_read(path) for path in _folder(context).glob("*.json") if _ID.fullmatch(path.stem)]
    return sorted((each for each in found if each is not None), key=lambda each: (-each["created_at"], each["id"]))


def kept_tournament(context: AppState, name: str) -> Row:
    """Return a kept tournament; NotFoundError if there is none."""
    found = _read(_folder(context) / f"{name}.json") if _ID.fullmatch(name) else None
    if found is None:
        raise NotFoundError(f"There is no tournament {name[:40]!r} here; /tournaments lists those that are kept.")
    return found


def head_of(found: Row) -> Row:
    """Return what a list shows of a kept tournament."""
    report = found["report"]
    return {
        "id": found["id"], "created_at": found["created_at"], "rounds": len(report["rounds"]),
        "bots": [row["name"] for row in report["table"]], "words": report["words"],
    }  # fmt: skip


def _read(path: Path) -> Row | None:
    try:
        found: Row = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found


def tournament_file(context: AppState, name: str, file: str) -> str:
    """Return the text of one file of a kept tournament."""
    made = FILES.get(file)
    if made is None:
        raise NotFoundError(f"A tournament has no file of that name; there are {', '.join(FILES)}.")
    found = kept_tournament(context, name)
    return made(found if file.endswith(".json") else found["report"])


def unkept_job(context: AppState, name: str) -> Row | None:
    """Return the newest job of a tournament that is not kept, None where it is kept or nobody has asked for it."""
    if _ID.fullmatch(name) and (_folder(context) / f"{name}.json").is_file():
        return None
    return open_or_failed(newest_job(context.database, TOURNAMENT, name, *JobStatus))


def ask_for_tournament(context: AppState, wanted: Wanted, asker: Asker) -> tuple[str, Row | None]:
    """Return the tournament's id, and its job; no job where the same one is kept already."""
    sources = sources_of(context, wanted.bots)
    if len(sources) < 2:
        raise MarketDataError("A tournament needs two bots at least: one alone has nobody to be rated against.")
    if not wanted.tapes and not wanted.tiers:
        raise MarketDataError("A tournament needs a market: choose market files, or made-up windows.")
    if wanted.rounds * wanted.ticks * len(sources) > MAX_STEPS:
        raise TooLargeError(
            f"{wanted.rounds} rounds of {wanted.ticks:,} ticks for {len(sources)} bots are more than {MAX_STEPS:,} in "
            "all: choose fewer or shorter rounds, or play it by `arena tournament`."
        )
    paths = {tape: str(tapes_of(context).path(tape)) for tape in dict.fromkeys(wanted.tapes)}
    hashes = {tape: kept.file_hashes([path])[path] for tape, path in paths.items()}
    facts = {
        "bots": [*sources], "rounds": wanted.rounds, "ticks": wanted.ticks, "tiers": _tiers(wanted),
        "interval": wanted.interval,
        "starting_cash": wanted.rules.starting_cash, "fee_bps": wanted.rules.fee_bps,
        "slippage_bps": wanted.rules.slippage_bps, "delay_ticks": wanted.rules.delay_ticks,
    }  # fmt: skip
    name = kept.run_id([*sources.values()], hashes, facts, wanted.seed, TOURNAMENT)
    if (_folder(context) / f"{name}.json").is_file():
        return name, None
    running = newest_job(context.database, TOURNAMENT, name, JobStatus.QUEUED, JobStatus.RUNNING)
    if running is not None:
        return name, running
    inputs = {"run": name, "bots": [*sources], "rounds": wanted.rounds, "asked_at": time.time()}
    work = _Work(context, name, sources, hashes, facts, wanted)
    return name, context.jobs.ask(TOURNAMENT, name, inputs, work, asker)


def _tiers(wanted: Wanted) -> list[str]:
    return [tier for tier in TIERS if tier in wanted.tiers]


@contextmanager
def _alone(told: Told) -> Iterator[None]:
    """Play while no other tournament is played; `told` is asked meanwhile, so that one that waits can be cancelled."""
    while not _ONE.acquire(timeout=0.5):
        told(0.0)
    try:
        yield
    finally:
        _ONE.release()


@dataclass(frozen=True, slots=True)
class _Work:
    context: AppState
    name: str
    sources: dict[str, bytes]
    hashes: dict[str, str | None]
    facts: dict[str, Any]
    wanted: Wanted

    def __call__(self, told: Told) -> dict[str, Any]:
        """Play the rounds and keep what came out."""
        told(0.0)
        with _alone(told):
            return self._play(told)

    def _play(self, told: Told) -> dict[str, Any]:
        context, wanted = self.context, self.wanted
        notes: list[str] = []
        most = MAX_CELLS // max(1, len(self.hashes))
        tapes = [(tape, tape_market(context, tape, wanted.interval, notes.append, most)) for tape in self.hashes]
        bots = [BotSource(name, source) for name, source in self.sources.items()]
        symbols = sorted({symbol for entry in check_candidates(context.pool, bots) for symbol in entry.symbols})
        if wanted.rounds * wanted.ticks * len(symbols) > MAX_CELLS:
            raise TooLargeError(
                f"{wanted.rounds} rounds of {wanted.ticks:,} ticks of {len(symbols)} symbols are more than "
                f"{MAX_CELLS:,} prices: choose fewer or shorter rounds, or bots that trade fewer symbols."
            )
        told(0.0)
        rounds = draw_rounds(tapes, symbols, wanted.rounds, wanted.ticks, wanted.seed, _tiers(wanted))
        found = tournament(
            context.pool, bots, rounds, wanted.rules, seed=wanted.seed, shown=[*self.sources],
            told=lambda share: told(min(0.99, share)),
        )  # fmt: skip
        programs = {name: hashlib.sha256(source).hexdigest() for name, source in self.sources.items()}
        self._keep({
            "id": self.name, "created_at": time.time(), "version": __version__, "markets": self.hashes,
            "programs": programs, "conduct": self.facts, "notes": notes, "report": found,
        })  # fmt: skip
        return {"tournament": self.name}

    def _keep(self, document: Row) -> None:
        folder = _folder(self.context)
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / f".{self.name}.{uuid.uuid4().hex[:8]}"
        try:
            made.write_bytes(orjson.dumps(document))
            made.replace(folder / f"{self.name}.json")
        finally:
            made.unlink(missing_ok=True)
        for old in kept_tournaments(self.context)[MAX_KEPT:]:
            (folder / f"{old['id']}.json").unlink(missing_ok=True)
