"""One server to a database: the second one is told, the moment it starts.

SQLite: a lock on a file beside the database, which the kernel releases with the process however that
ends. PostgreSQL: a session's advisory lock, which the server releases with the connection.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from arena.errors import StoreError

# "arena" in ASCII: the key of the advisory lock.
_KEY = 0x6172656E61
# A database server takes a moment to notice that a session's client has died.
_PATIENCE = 2.0
_TAKEN = (
    "Another arena server is using this database ({where}). Stop it first, or give this one a database of its own "
    "(DB_PATH or DATABASE_URL)."
)


class Lease:
    """The right to write a season's ticks; `release` gives it back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: int | None = None
        self._connection: Connection | None = None
        self.renew()

    def renew(self) -> None:
        """Take the lease, or take it again after the database was away; StoreError if another server has it."""
        if self._engine.dialect.name == "sqlite":
            self._lock_file()
        else:
            self._lock_session()

    def _lock_file(self) -> None:
        if self._file is not None or not self._engine.url.database:
            return
        path = Path(f"{self._engine.url.database}.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            self._file = None
            raise StoreError(_TAKEN.format(where=self._engine.url.database)) from None

    def _lock_session(self) -> None:
        held, self._connection = self._connection, None
        if held is not None and self._still_there(held):
            self._connection = held
            return
        connection = self._engine.connect()
        end = time.monotonic() + _PATIENCE
        while not self._try_session(connection):
            if time.monotonic() > end:
                connection.close()
                raise StoreError(_TAKEN.format(where=self._engine.url.render_as_string(hide_password=True)))
            time.sleep(0.1)
        self._connection = connection

    @staticmethod
    def _try_session(connection: Connection) -> bool:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar()
        connection.commit()
        return bool(taken)

    @staticmethod
    def _still_there(connection: Connection) -> bool:
        try:
            connection.execute(text("SELECT 1"))
            connection.commit()
        except SQLAlchemyError:
            connection.invalidate()
            connection.close()
            return False
        return True

    def release(self) -> None:
        """Let another server have the database."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._connection is not None:
            # Back in the pool its session, and the lock with it, would live on.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
