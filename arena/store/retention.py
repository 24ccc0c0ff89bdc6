"""What keeps the database small while the clock runs: old equity rows are moved to files, and free space is given back.

It works on a thread and connections of its own, in short transactions: a tick waits for none of them.
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from arena.errors import ArenaError
from arena.store.bulk import table_of
from arena.store.models import Season
from arena.store.queries import last_tick
from arena.store.season_archive import archive_equity, give_back

log = logging.getLogger("arena.store")
_DAY = 86_400
_EVERY = 3600.0  # seconds
_SEASONS = table_of(Season)


def keep_small(engine: Engine, equity_days: int) -> int:
    """Move equity of whole UTC days that are older than so many days before each season's last tick; 0 days: none.

    Returns how many rows were moved. What was freed is given back to the disk.
    """
    moved = 0
    if equity_days > 0:
        with engine.connect() as connection:
            seasons = list(connection.execute(select(_SEASONS.c.id)).scalars())
        for season_id in seasons:
            last = last_tick(engine, season_id)
            if last is not None:
                before = (last["time"] // _DAY - equity_days) * _DAY
                moved += archive_equity(engine, season_id, before)
    give_back(engine)
    return moved


class Retention:
    """Does it every hour, from the start on."""

    def __init__(self, engine: Engine, equity_days: int) -> None:
        self._engine, self._equity_days = engine, equity_days
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a file that is being written is finished first."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                moved = keep_small(self._engine, self._equity_days)
                if moved:
                    log.info("%d equity rows older than RETENTION_EQUITY_DAYS were moved to Parquet files", moved)
            except (ArenaError, SQLAlchemyError, OSError) as error:
                # The clock does not depend on it; the next hour tries again.
                log.warning("Old equity rows cannot be moved to files: %s", error)
            self._ended.wait(_EVERY)
