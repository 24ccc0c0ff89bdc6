"""The machines that may play bots, and their leases: one bot is played under one lease at a time."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, delete, func, select, update

from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.models import Host

_HOSTS = table_of(Host)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
TOKEN_PREFIX = "arena_host_"  # noqa: S105 - what every token begins with


class HostState(StrEnum):
    """Where a host stands."""

    ADDED = "added"
    JOINED = "joined"
    DRAINING = "draining"
    LOST = "lost"
    LEFT = "left"


def add_host(engine: Engine, name: str) -> str:
    """Let a machine of this name play bots; return its token, which is stored as a hash only."""
    if not _NAME.fullmatch(name):
        raise RefusedError("A host's name has 1 to 63 small letters, digits, dots and hyphens, such as host-1.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row: Row = {
        "name": name, "token_hash": _hash(token), "added_at": time.time(), "state": HostState.ADDED.value,
        "reason": "", "fence": 0, "lease_until": 0.0, "level": "", "bots": 0, "tick_seconds": 0.0, "memory": 0,
        "capacity": 0,
    }  # fmt: skip
    with engine.begin() as connection:
        if connection.execute(select(_HOSTS.c.name).where(_HOSTS.c.name == name)).first() is not None:
            raise ConflictError(f"There is a host '{name}' already: remove it first, or take another name.")
        insert_rows(connection, Host, [row])
    return token


def renew_token(engine: Engine, name: str) -> str:
    """Return a new token for a host, which is added where there is none of the name; its old one is useless."""
    with engine.begin() as connection:
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        changed = connection.execute(update(_HOSTS).where(_HOSTS.c.name == name).values(token_hash=_hash(token)))
    return token if changed.rowcount else add_host(engine, name)


def remove_host(engine: Engine, name: str) -> None:
    """Let a machine play no more; its lease ends with its row."""
    with engine.begin() as connection:
        if not connection.execute(delete(_HOSTS).where(_HOSTS.c.name == name)).rowcount:
            raise _unknown(name)


def host_of(engine: Engine, token: str) -> str | None:
    """Return the name of the host that a token is of, None where it is none."""
    if not token.startswith(TOKEN_PREFIX):
        return None
    with engine.connect() as connection:
        found = connection.execute(select(_HOSTS.c.name).where(_HOSTS.c.token_hash == _hash(token))).scalar()
    return None if found is None else str(found)


def list_hosts(engine: Engine) -> list[Row]:
    """Return every host without its token, by name."""
    columns = [column for column in _HOSTS.c if column.name != "token_hash"]
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(*columns).order_by(_HOSTS.c.name)).mappings()]


def take_lease(engine: Engine, name: str, seconds: float, **facts: Any) -> int:
    """Give a host a new lease, with a fencing token above all that were given before; older ones end with it."""
    with engine.begin() as connection:
        highest = select(func.max(_HOSTS.c.fence)).scalar_subquery()
        found = connection.execute(
            update(_HOSTS).where(_HOSTS.c.name == name)
            .values(
                fence=highest + 1, lease_until=time.time() + seconds, state=HostState.JOINED.value, reason="", bots=0,
                **facts,
            )
        )  # fmt: skip
        if not found.rowcount:
            raise _unknown(name)
        return int(connection.execute(select(_HOSTS.c.fence).where(_HOSTS.c.name == name)).scalar_one())


def renew_lease(engine: Engine, name: str, fence: int, seconds: float, **facts: Any) -> HostState | None:
    """Prolong a lease and note how the host is doing; return its state, None where the lease is no longer its own."""
    mine = (_HOSTS.c.name == name, _HOSTS.c.fence == fence)
    open_states = (HostState.JOINED.value, HostState.DRAINING.value)
    with engine.begin() as connection:
        connection.execute(
            update(_HOSTS).where(*mine, _HOSTS.c.state.in_(open_states))
            .values(lease_until=time.time() + seconds, **facts)
        )  # fmt: skip
        state = connection.execute(select(_HOSTS.c.state).where(*mine)).scalar()
    return HostState(state) if state in open_states else None


def end_lease(engine: Engine, name: str, fence: int, state: HostState, reason: str) -> None:
    """Note that a host is gone, where it has no newer lease."""
    with engine.begin() as connection:
        connection.execute(
            update(_HOSTS).where(_HOSTS.c.name == name, _HOSTS.c.fence == fence)
            .values(state=state.value, reason=reason, lease_until=0.0, bots=0)
        )  # fmt: skip


def end_all_leases(engine: Engine, reason: str) -> None:
    """Note that no host plays: the server begins."""
    with engine.begin() as connection:
        connection.execute(
            update(_HOSTS).where(_HOSTS.c.state.in_([HostState.JOINED.value, HostState.DRAINING.value]))
            .values(state=HostState.LEFT.value, reason=reason, lease_until=0.0, bots=0)
        )  # fmt: skip


def drain_host(engine: Engine, name: str) -> None:
    """Have a host's bots moved away; the server does it within seconds. NotFoundError where it has not joined."""
    joined = (_HOSTS.c.name == name, _HOSTS.c.state.in_([HostState.JOINED.value, HostState.DRAINING.value]))
    with engine.begin() as connection:
        if not connection.execute(update(_HOSTS).where(*joined).values(state=HostState.DRAINING.value)).rowcount:
            raise NotFoundError(f"No host '{name}' has joined: `arena hosts list` names those that have.")


def _hash(token: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"There is no host '{name}': `arena hosts list` names all.")
