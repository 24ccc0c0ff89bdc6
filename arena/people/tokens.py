"""Tokens by which programs act for a user: shown once, stored as SHA-256, limited to scopes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, func, select, update

from arena.core.text import clean_name
from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.people.accounts import Account
from arena.people.credentials import hash_of, is_token, new_token
from arena.people.rights import Caller, Scope
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.database import wait_turn
from arena.store.people import ApiToken, User
from arena.store.seasons import new_id

MAX_TOKENS = 50  # of a user
MAX_DAYS = 366
_USED_EVERY = 60.0  # seconds between two notes of when a token was used

_TOKENS, _USERS = table_of(ApiToken), table_of(User)
_SHOWN = tuple(column for column in _TOKENS.c if column.name not in {"hash", "user_id"})


def make_token(
    database: Engine, account: Account, name: str, scopes: Iterable[str], days: float | None = None
) -> tuple[str, Row]:
    """Return a new token, which is shown this once, and its row; `days` is for how long it is of use, None for ever."""
    wanted, label = _checked_scopes(account, scopes), clean_name(name)
    if not 1 <= len(label) <= 60:
        raise RefusedError("A token's name has 1 to 60 visible characters: say what it is for.")
    if days is not None and not 0 < days <= MAX_DAYS:
        raise RefusedError(f"A token is of use for more than 0 and at most {MAX_DAYS} days.")
    now = time.time()
    count = select(func.count()).select_from(_TOKENS)
    in_use = count.where(_TOKENS.c.user_id == account.id, _TOKENS.c.revoked_at.is_(None))
    token = new_token()
    row: Row = {
        "id": new_id(), "user_id": account.id, "name": label, "hash": hash_of(token), "scopes": wanted,
        "created_at": now, "expires_at": None if days is None else now + days * 86_400, "last_used_at": None,
        "revoked_at": None,
    }  # fmt: skip
    with database.begin() as connection:
        wait_turn(connection, f"tokens of {account.id}")
        insert_rows(connection, ApiToken, [row])
        if connection.execute(in_use).scalar_one() > MAX_TOKENS:
            raise ConflictError(f"{account.name} has {MAX_TOKENS} tokens already: revoke one first.")
    return token, {name: row[name] for name in (column.name for column in _SHOWN)}


def _checked_scopes(account: Account, scopes: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(scopes))
    known = [str(scope) for scope in Scope]
    unknown = [scope for scope in wanted if scope not in known]
    if unknown or not wanted:
        raise RefusedError(f"A token's scopes are one or more of {', '.join(known)}.")
    if Scope.ADMIN in wanted and not account.admin:
        raise RefusedError(f"{account.name} is no admin, so that no token of theirs can be.")
    return wanted


def caller_of(database: Engine, token: str) -> Caller | None:
    """Return for whom a token speaks, None where it is none, revoked, too old, or of a disabled user."""
    now = time.time()
    row = _usable(database, token, now)
    if row is None:
        return None
    if row.last_used_at is None or now - row.last_used_at > _USED_EVERY:
        with database.begin() as connection:
            connection.execute(update(_TOKENS).where(_TOKENS.c.id == row.id).values(last_used_at=now))
    # Somebody who is no admin any more keeps the token, but not the scope.
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope != Scope.ADMIN or row.admin)
    return Caller("token", row.name, row.user, scopes)


def is_of_use(database: Engine, token: str) -> bool:
    """Say whether a token still speaks for its user; to ask counts as no use."""
    return _usable(database, token, time.time()) is not None


def _usable(database: Engine, token: str, now: float) -> Any:
    if not is_token(token):
        return None
    query = (
        select(_TOKENS.c.id, _TOKENS.c.scopes, _TOKENS.c.last_used_at, _USERS.c.id.label("user"), _USERS.c.name)
        .add_columns(_USERS.c.admin)
        .join(_USERS, _USERS.c.id == _TOKENS.c.user_id)
        .where(_TOKENS.c.hash == hash_of(token), _TOKENS.c.revoked_at.is_(None), _USERS.c.disabled_at.is_(None))
        .where(_TOKENS.c.expires_at.is_(None) | (_TOKENS.c.expires_at > now))
    )
    with database.connect() as connection:
        return connection.execute(query).first()


def list_tokens(database: Engine, user_id: str) -> list[dict[str, Any]]:
    """Return a user's tokens without what is secret, newest first."""
    query = select(*_SHOWN).where(_TOKENS.c.user_id == user_id).order_by(_TOKENS.c.id.desc())
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def revoke_token(database: Engine, user_id: str, token_id: str) -> Row:
    """Make a user's token useless from now on; NotFoundError if the user has none of this id."""
    mine = (_TOKENS.c.id == token_id, _TOKENS.c.user_id == user_id)
    with database.begin() as connection:
        connection.execute(update(_TOKENS).where(*mine, _TOKENS.c.revoked_at.is_(None)).values(revoked_at=time.time()))
        row = connection.execute(select(*_SHOWN).where(*mine)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no token {clean_name(token_id)[:80]} of this user.")
    return dict(row)
