"""Writing ticks so that they are there whole, once, or not at all, whatever the database does meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine as Database
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from arena.errors import StoreError
from arena.store.lease import Lease
from arena.store.recorder import LOG_RING_BYTES, Recorder, TickWrites


class Unwritten(NamedTuple):
    """Why a tick is not written: in words for everybody, and in full for the log."""

    reason: str
    detail: str


def _public_reason(error: Exception) -> str:
    words = str(error)
    if isinstance(error, _DiskFullError):
        return words
    if "disk is full" in words or "No space left on device" in words:
        return "the disk is full"
    return "the database cannot be written"


class _DiskFullError(OSError):
    """Less of the disk is free than MIN_FREE_DISK asks for."""


class Journal:
    """The recorder with its surroundings: free space, and the lease that makes us the only writer."""

    def __init__(
        self, database: Database, *, lease: Lease | None = None, min_free_disk: int = 0, disk: Path | None = None,
        log_bytes: int = LOG_RING_BYTES,
    ) -> None:  # fmt: skip
        self.recorder = Recorder(database, log_bytes)
        self._lease = lease
        self._min_free, self._disk = min_free_disk, disk
        self._in_doubt = False

    def write(self, *batch: TickWrites) -> Unwritten | None:
        """Write ticks, all or none; return None, or why they have not been written.

        StoreError where another server has taken the database over meanwhile.
        """
        try:
            self._check_disk()
            if self._in_doubt and self._lease is not None:
                self._lease.renew()
            self.recorder.record(*batch)
        except IntegrityError as error:
            # A connection lost in the middle of a commit does not say whether it took effect.
            if not (self._in_doubt and self.recorder.holds(batch[-1])):
                raise StoreError(f"The database refuses what this server writes: {error}") from error
        except (SQLAlchemyError, OSError) as error:
            self._in_doubt = True
            return Unwritten(_public_reason(error), str(error))
        self._in_doubt = False
        return None

    def _check_disk(self) -> None:
        if self._disk is None or not self._min_free:
            return
        free = shutil.disk_usage(self._disk).free
        if free < self._min_free:
            least = self._min_free >> 20
            raise _DiskFullError(
                f"the disk is full, only {free >> 20} MiB are free where MIN_FREE_DISK asks for {least} MiB"
            )
