"""Backtests over the web: a job each, bots of the season over a market file of the server's folder, tick by tick."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest import kept, report
from arena.engine.backtest.market import RecordedMarket, read_market
from arena.engine.backtest.run import LOCKSTEP, BotSource, check_candidates, play_entries
from arena.errors import ConflictError, MarketDataError, NotFoundError, TooLargeError
from arena.hosts.backtests import FarmPlays
from arena.store import queries
from arena.store.bulk import Row
from arena.store.jobs import JobStatus, newest_job
from arena.web.backtest_page import page_values, report_file
from arena.web.context import AppState
from arena.web.jobs import Asker, Told

BACKTEST = "backtest"  # the kind of its jobs
MAX_BOTS = 8
MAX_STEPS = 2_000_000  # ticks times bots
MAX_CELLS = 10_000_000  # prices of a market
MAX_TAPE = 64 << 20  # bytes of a market file, as it lies in the folder
MAX_UPLOADS = 20  # kept; the oldest go first
MAX_RUNS = 200
MAX_TAPES = 500  # listed
UPLOADS = "uploads"
_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".arena", ".log")
_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")


def _in_any_case(words: tuple[str, ...]) -> str:
    spelt = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word) for word in words)
    return f"(?:{'|'.join(spelt)})"


# How the name of an upload ends.
TAPE_NAME = f"(?:{_in_any_case(_ENDINGS)}{_in_any_case(_PACKED)}?|{_in_any_case(('.zip',))})$"
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backtest is to play: ids of bots, the name of a market file, the rules and the seed."""

    bots: tuple[str, ...]
    tape: str
    rules: Rules
    seed: int
    interval: float | None


class Tapes:
    """The market files of one folder, and the uploads below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def items(self) -> list[Row]:
        """Return the files by name with their sizes; what lies deeper than one folder is left out."""
        found = [path for pattern in ("*", "*/*") for path in self._folder.glob(pattern) if _is_tape(path)]
        rows = []
        for path in found:
            # An upload may be making room for another one at this moment.
            with contextlib.suppress(FileNotFoundError):
                name, size = path.relative_to(self._folder).as_posix(), path.stat().st_size
                rows.append({"name": name, "bytes": size, "uploaded": path.parent.name == UPLOADS})
        return sorted(rows, key=lambda row: (row["uploaded"], row["name"]))[:MAX_TAPES]

    def path(self, name: str) -> Path:
        """Return where a listed file is; NotFoundError for any other name, TooLargeError beyond the limit."""
        # Only what is listed is read: no name leads out of the folder.
        known = next((row for row in self.items() if row["name"] == name), None)
        if known is None:
            raise NotFoundError(f"There is no market file {name[:80]!r}; GET /api/v1/tapes lists them.")
        if known["bytes"] > MAX_TAPE:
            raise TooLargeError(
                f"{name} has more than {MAX_TAPE >> 20} MiB: play it on the server's machine by `arena backtest`."
            )
        return self._folder / name

    async def receive(self, name: str, pieces: AsyncIterator[bytes]) -> Row:
        """Write an upload into the folder under its hash and name; the oldest uploads make room."""
        if not re.search(TAPE_NAME, name):
            raise MarketDataError(f"The file's name should end in {', '.join(_ENDINGS)}, or one of these packed.")
        safe = _ODD.sub("-", Path(name).name).strip("-.")[-80:]
        safe = safe if _has_ending(safe) else f"tape.{safe}"
        place = self._folder / UPLOADS
        place.mkdir(parents=True, exist_ok=True)
        made = place / f".{uuid.uuid4().hex}"
        digest, size = hashlib.sha256(), 0
        try:
            with made.open("wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    digest.update(piece)
                    file.write(piece)
            if not size:
                raise MarketDataError("The file is empty.")
            path = place / f"{digest.hexdigest()[:12]}-{safe}"
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
        os.utime(path)
        for old in sorted(place.iterdir(), key=lambda each: -each.stat().st_mtime)[MAX_UPLOADS:]:
            old.unlink(missing_ok=True)
        return {"name": path.relative_to(self._folder).as_posix(), "bytes": size, "uploaded": True}


def _is_tape(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file() and not path.is_symlink() and _has_ending(path.name)


def _has_ending(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".zip") or any(lower.endswith(end + packed) for end in _ENDINGS for packed in ("", *_PACKED))


def tapes_of(context: AppState) -> Tapes:
    """Return the market files that this server offers."""
    return Tapes(Path(context.settings.data_dir))


def runs_of(context: AppState) -> kept.KeptRuns:
    """Return the runs that this server keeps; those of the command line are in the same folder and are not shown."""
    return kept.KeptRuns(Path(context.settings.runs_dir))


def ask_for_backtest(context: AppState, wanted: Wanted, asker: Asker) -> tuple[str, Row | None]:
    """Return the run's id, and its job; no job where the same run is kept already."""
    path = tapes_of(context).path(wanted.tape)
    sources = sources_of(context, wanted.bots)
    hashes = {wanted.tape: kept.file_hashes([str(path)])[str(path)]}
    facts = {
        "starting_cash": wanted.rules.starting_cash, "fee_bps": wanted.rules.fee_bps,
        "slippage_bps": wanted.rules.slippage_bps, "interval": wanted.interval,
        **({} if wanted.rules.delay_ticks == 1 else {"delay_ticks": wanted.rules.delay_ticks}),
    }  # fmt: skip
    name = kept.run_id(list(sources.values()), hashes, facts, wanted.seed, "lockstep")
    if _is_kept(context, name):
        return name, None
    running = newest_job(context.database, BACKTEST, name, JobStatus.QUEUED, JobStatus.RUNNING)
    if running is not None:
        return name, running
    # A run that was removed since is played again: its inputs are told apart by the time they were asked for.
    inputs = {"run": name, "bots": list(sources), "tape": wanted.tape, "asked_at": time.time()}
    work = _Work(context, name, sources, hashes, wanted)
    return name, context.jobs.ask(BACKTEST, name, inputs, work, asker)


def sources_of(context: AppState, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return the programs of bots of the season, given by ids or names, each once, by the names they are shown by."""
    bots = dict.fromkeys(queries.find_bot(context.database, context.season_id, bot) for bot in wanted)
    rows = [queries.bot_row(context.database, context.season_id, bot) for bot in bots]
    names = [row["name"] for row in rows]
    # A retired bot may have the name of another.
    return {
        row["name"] if names.count(row["name"]) == 1 else f"{row['name']} ({row['bot_id'][:8]})":
            queries.source_of(context.database, row["bot_id"]).encode()
        for row in rows
    }  # fmt: skip


def _is_kept(context: AppState, name: str) -> bool:
    try:
        return bool(kept_run(context, name))
    except NotFoundError:
        return False


def kept_run(context: AppState, name: str) -> Row:
    """Return the head of a run that was made on the page; NotFoundError if there is none."""
    try:
        head = runs_of(context).head(name)
    except ConflictError:
        head = None
    if head is None or head["id"] != name or head["by"] != kept.BY_PAGE:
        raise NotFoundError(f"There is no backtest {name[:40]!r} here; those that are kept are listed on /backtest.")
    return head


def unkept_job(context: AppState, name: str) -> Row | None:
    """Return the newest job of a run that is not kept, None where it is kept or nobody has asked for it."""
    if _is_kept(context, name):
        return None
    return open_or_failed(newest_job(context.database, BACKTEST, name, *JobStatus))


def open_or_failed(job: Row | None) -> Row | None:
    """Return the job unless it is done: what it kept was removed since."""
    return None if job is None or job["status"] == JobStatus.DONE else job


@dataclass(frozen=True, slots=True)
class _Work:
    context: AppState
    name: str
    sources: dict[str, bytes]
    hashes: dict[str, str | None]
    wanted: Wanted

    def __call__(self, told: Told) -> dict[str, Any]:
        """Play the bots and keep the run."""
        context, wanted = self.context, self.wanted
        notes: list[str] = []
        market = self._market(notes)
        entries = check_candidates(context.pool, [BotSource(name, source) for name, source in self.sources.items()])
        done, total = 0, max(1, len(market) * len(entries))

        def progress(ticks: int) -> None:
            nonlocal done
            done += ticks
            told(min(0.99, done / total))

        told(0.0)
        started = time.monotonic()
        # Bots of strangers see one tick at a time: none finds a price to come in its process.
        play = partial(play_entries, context.pool) if context.farm is None else FarmPlays(context.farm)
        results = play(entries, market, wanted.rules, seed=wanted.seed, run=LOCKSTEP, progress=progress)
        conduct = report.Conduct([wanted.tape], wanted.rules, wanted.interval, wanted.seed)
        found = report.document(results, market, time.monotonic() - started, conduct)
        head = kept.head_of(found, self.hashes, self.sources, "", by=kept.BY_PAGE, name=self.name)
        values = page_values(found, results, market, self.sources, "", self.hashes)
        values["notes"] = notes
        runs = runs_of(context)
        runs.keep(head, values, report_file(values), results)
        runs.prune(kept.BY_PAGE, MAX_RUNS)
        return {"run": self.name}

    def _market(self, notes: list[str]) -> RecordedMarket:
        market = tape_market(self.context, self.wanted.tape, self.wanted.interval, notes.append, MAX_CELLS)
        if len(market) * len(self.sources) > MAX_STEPS:
            raise TooLargeError(
                f"{len(market):,} ticks for {len(self.sources)} bots are more than {MAX_STEPS:,} in all: choose fewer "
                "bots, a longer interval, or play it by `arena backtest`."
            )
        return market


def tape_market(
    context: AppState, tape: str, interval: float | None, note: Callable[[str], None], most_cells: int
) -> RecordedMarket:
    """Read a listed market file; what is said of it names it as it is listed."""
    # Where the server keeps its files is nobody else's business.
    path = str(tapes_of(context).path(tape))

    def shown(words: str) -> str:
        return words.replace(path, tape)

    usual = context.settings.tick_interval_seconds
    try:
        market = read_market([path], interval, usual, lambda words: note(shown(words)), most_cells=most_cells)
    except MarketDataError as error:
        raise MarketDataError(shown(str(error))) from None
    if not len(market):
        raise MarketDataError(f"{tape} holds no tick.")
    return market
