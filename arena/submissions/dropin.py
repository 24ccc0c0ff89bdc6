"""The drop-in folder: every `*.py` not starting with `_` is a bot, its path its identity.

A changed file is taken once it has stood unchanged for a second; refused, the old version goes on.
A deleted file pauses its bot. A file that fails is reported and the others load.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from arena.engine.backtest.run import hash_source
from arena.engine.live.engine import Engine
from arena.errors import ArenaError, ConflictError, NotFoundError, RefusedError
from arena.store.models import Bot, Entry
from arena.submissions.intake import Intake
from sandbox.errors import SandboxError

log = logging.getLogger("arena.submissions")

SETTLE_SECONDS = 1.0
FILE_GONE = "its file is gone"
_LOOK_EVERY = 0.5
SHIPPED = frozenset({
    "arbitrage_bot.py", "breakout_bot.py", "buy_and_hold.py", "example_random.py", "example_trend.py",
    "mean_reversion_bot.py", "momentum_bot.py",
})  # fmt: skip


@dataclass(slots=True)
class _File:
    stamp: tuple[float, int]
    since: float
    taken: tuple[float, int] | None = None
    bot_id: str | None = None


class DropIn:
    """Watches one folder on a thread of its own."""

    def __init__(self, folder: Path, shipped: Path, database: Database, engine: Engine, intake: Intake) -> None:
        self._folder = folder
        self._shipped = shipped
        self._database = database
        self._engine = engine
        self._intake = intake
        self._files: dict[Path, _File] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="drop-in", daemon=True)

    def start(self) -> None:
        """Take the folder as it is, then watch it."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        # At the start files count as settled: nobody is editing them just now.
        try:
            self._look(settled=True)
            self._pause_orphans()
        finally:
            self._engine.release()
        while not self._stopping.wait(_LOOK_EVERY):
            self._look(settled=False)

    def _look(self, *, settled: bool) -> None:
        now = time.monotonic()
        present = self._present()
        for path, stamp in present.items():
            known = self._files.get(path)
            if known is None or known.stamp != stamp:
                taken, bot_id = (known.taken, known.bot_id) if known else (None, None)
                known = self._files[path] = _File(stamp, now, taken, bot_id)
            ripe = settled or now - known.since >= SETTLE_SECONDS
            if ripe and known.taken != stamp and not self._stopping.is_set():
                known.taken = stamp
                self._take(path, known)
        for path in [path for path in self._files if path not in present]:
            self._gone(path, self._files.pop(path))

    def _present(self) -> dict[Path, tuple[float, int]]:
        found = {}
        try:
            paths = sorted(self._folder.glob("*.py"))
        except OSError:
            return {}
        for path in paths:
            if path.name.startswith("_"):
                continue
            try:
                status = path.stat()
            except OSError:
                continue
            found[path] = (status.st_mtime, status.st_size)
        return found

    def _pause_orphans(self) -> None:
        """Pause the bots whose files have gone while no server looked."""
        with Session(self._database) as session:
            paths = session.exec(
                select(Bot.path, Bot.id)
                .where(Bot.id == Entry.bot_id, Entry.season_id == self._engine.season.id)
                .where(Entry.status == "active", col(Bot.origin).in_(["folder", "arena"]))
            ).all()
        for path, bot_id in paths:
            if path and Path(path).parent == self._folder and not Path(path).exists():
                self._gone(Path(path), _File((0.0, 0), 0.0, bot_id=bot_id))

    # -- one file ---------------------------------------------------------------------------------------

    def _take(self, path: Path, known: _File) -> None:
        try:
            source = path.read_bytes()
            if self._stands_already(path, source, known):
                return
            origin = "arena" if self._is_shipped(path) else "folder"
            self._check_owner(path)
            bot = self._intake.upload(source, author=origin, origin=origin, path=str(path))[0].bot
        except RefusedError as error:
            first = error.violations[0] if error.violations else {"line": 1, "message": str(error), "hint": ""}
            log.error("%s:%s: %s %s", path, first["line"], first["message"], first["hint"])
        except (ArenaError, SandboxError, OSError, TimeoutError) as error:
            log.error("%s: %s", path, error)
        else:
            self._retire_older(path, bot.id)
            known.bot_id = bot.id

    def _is_shipped(self, path: Path) -> bool:
        return path.name in SHIPPED and path.parent.resolve() == self._shipped.resolve()

    def _rows(self, path: Path) -> list[tuple[Bot, Entry]]:
        with Session(self._database, expire_on_commit=False) as session:
            rows = session.exec(
                select(Bot, Entry)
                .where(Bot.id == Entry.bot_id, Entry.season_id == self._engine.season.id)
                .where(Bot.path == str(path)).order_by(col(Bot.created_at))
            ).all()  # fmt: skip
            return [(bot, entry) for bot, entry in rows]

    def _stands_already(self, path: Path, source: bytes, known: _File) -> bool:
        """Say whether this very source is in the season already; a paused one goes on."""
        rows = self._rows(path)
        if not rows or rows[-1][0].source_hash != hash_source(source):
            # An older version of this file counts as a change too: the newest one has replaced it.
            return False
        bot, entry = rows[-1]
        known.bot_id = bot.id
        # Who was paused by a person stays paused.
        if entry.status == "paused" and entry.reason == FILE_GONE:
            self._call(bot.id, "resume")
        return True

    def _check_owner(self, path: Path) -> None:
        """Refuse a second file whose bot has the NAME of another file's."""
        examined = self._intake.check(path.read_bytes())
        if not examined.accepted:
            return
        for other, known in self._files.items():
            if other == path or known.bot_id is None or not other.exists():
                continue
            try:
                seat = self._engine.roster.get(known.bot_id)
            except NotFoundError:
                continue
            if seat.bot.name == examined.name:
                raise ConflictError(f"the name '{examined.name}' is taken by {other}; choose another.")

    def _retire_older(self, path: Path, bot_id: str) -> None:
        for bot, entry in self._rows(path):
            if bot.id != bot_id and entry.status != "retired":
                self._call(bot.id, "retire")

    def _gone(self, path: Path, known: _File) -> None:
        if known.bot_id is not None and not self._stopping.is_set():
            log.info("%s is gone; its bot is paused", path)
            self._call(known.bot_id, "pause")

    def _call(self, bot_id: str, what: str) -> None:
        roster = self._engine.roster
        work = {
            "pause": lambda: roster.pause(bot_id, FILE_GONE),
            "resume": lambda: roster.resume(bot_id),
            "retire": lambda: roster.retire(bot_id),
        }[what]
        try:
            self._engine.call(work).result(timeout=60)
        except (ArenaError, TimeoutError) as error:
            log.warning("%s", error)
