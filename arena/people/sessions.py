"""Sessions of browsers: a row each, found by the hash of what the cookie holds, ended by deleting the row."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from sqlalchemy import Engine, delete, func, select, update

from arena.people.accounts import Account
from arena.people.credentials import hash_of, new_secret
from arena.people.rights import ALL_SCOPES, USER_SCOPES, Caller
from arena.store.bulk import insert_rows, table_of
from arena.store.people import User, UserSession

LONGEST = 30 * 86_400.0  # seconds that a session lasts at most
IDLE = 7 * 86_400.0  # and without a request
_SEEN_EVERY = 60.0

_SESSIONS, _USERS = table_of(UserSession), table_of(User)


def csrf_of(secret: str) -> str:
    """Return what a page sends with each change to show that it can read what the arena gave it."""
    return hmac.new(secret.encode("utf-8", "replace"), b"arena csrf", hashlib.sha256).hexdigest()


def open_session(database: Engine, account: Account, address: str, before: str = "") -> str:
    """Return the secret of a new session; the one that the browser had `before` ends, so that nobody can plant one."""
    secret, now = new_secret(), time.time()
    row = {
        "hash": hash_of(secret), "user_id": account.id, "created_at": now, "seen_at": now,
        "expires_at": now + LONGEST, "address": address,
    }  # fmt: skip
    with database.begin() as connection:
        old = (_SESSIONS.c.expires_at < now) | (_SESSIONS.c.seen_at < now - IDLE)
        connection.execute(delete(_SESSIONS).where(old | (_SESSIONS.c.hash == hash_of(before))))
        insert_rows(connection, UserSession, [row])
    return secret


def caller_of(database: Engine, secret: str) -> Caller | None:
    """Return who is signed in by a cookie, None where its session has ended or never was."""
    now, hashed = time.time(), hash_of(secret)
    row = _open(database, hashed, now)
    if row is None:
        return None
    if now - row.seen_at > _SEEN_EVERY:
        with database.begin() as connection:
            connection.execute(update(_SESSIONS).where(_SESSIONS.c.hash == hashed).values(seen_at=now))
    return Caller("session", row.name, row.id, ALL_SCOPES if row.admin else USER_SCOPES, csrf_of(secret))


def is_open(database: Engine, secret: str) -> bool:
    """Say whether a session still lets its user in; to ask does not make it last longer."""
    return _open(database, hash_of(secret), time.time()) is not None


def _open(database: Engine, hashed: str, now: float) -> Any:
    query = (
        select(_SESSIONS.c.seen_at, _USERS.c.id, _USERS.c.name, _USERS.c.admin)
        .join(_USERS, _USERS.c.id == _SESSIONS.c.user_id)
        .where(_SESSIONS.c.hash == hashed, _SESSIONS.c.expires_at > now, _SESSIONS.c.seen_at > now - IDLE)
        .where(_USERS.c.disabled_at.is_(None))
    )
    with database.connect() as connection:
        return connection.execute(query).first()


def close_session(database: Engine, secret: str) -> None:
    """End a session."""
    with database.begin() as connection:
        connection.execute(delete(_SESSIONS).where(_SESSIONS.c.hash == hash_of(secret)))


def close_sessions(database: Engine, user_id: str) -> int:
    """End all sessions of a user; return how many there were."""
    with database.begin() as connection:
        return int(connection.execute(delete(_SESSIONS).where(_SESSIONS.c.user_id == user_id)).rowcount)


def count_sessions(database: Engine, user_id: str) -> int:
    """Return in how many browsers a user is signed in."""
    query = select(func.count()).select_from(_SESSIONS)
    with database.connect() as connection:
        return int(connection.execute(query.where(_SESSIONS.c.user_id == user_id)).scalar_one())
