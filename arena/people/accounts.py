"""Users: added, listed, disabled; passwords and one-time links by which they sign in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from arena.core.names import skeleton
from arena.core.text import clean_name
from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.people.credentials import hash_of, new_secret
from arena.people.rights import ALL_SCOPES, USER_SCOPES, Scope
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.models import Bot, Trade
from arena.store.people import ApiToken, SignInLink, User, UserSession
from arena.store.seasons import new_id
from arena.store.webhooks import Webhook

LINK_SECONDS = 24 * 3600.0
MIN_PASSWORD, MAX_PASSWORD = 12, 200
MAX_NAME = 40
# Names that the arena speaks by itself.
RESERVED = frozenset(
    {"admin", "administrator", "arena", "operator", "local", "folder", "root", "system", "moderator", "anonymous",
     "thismachine", "commandline", "you", "me"}
)  # fmt: skip

_USERS, _LINKS, _SESSIONS, _TOKENS = (table_of(one) for one in (User, SignInLink, UserSession, ApiToken))
_BOTS, _TRADES, _WEBHOOKS = (table_of(one) for one in (Bot, Trade, Webhook))
# Argon2id takes 64 MiB each time: two at once, the others wait.
_hashing = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Account:
    """A user without what is secret."""

    id: str
    name: str
    admin: bool
    has_password: bool
    created_at: float
    disabled_at: float | None

    @property
    def scopes(self) -> frozenset[Scope]:
        """Return all that the user may do."""
        return ALL_SCOPES if self.admin else USER_SCOPES


_COLUMNS = (
    _USERS.c.id, _USERS.c.name, _USERS.c.admin, _USERS.c.password.is_not(None).label("has_password"),
    _USERS.c.created_at, _USERS.c.disabled_at,
)  # fmt: skip


def add_user(database: Engine, name: str, *, admin: bool = False) -> Account:
    """Add a user; RefusedError or ConflictError where the name cannot be used.

    Bots that carry this very name as their author keep it, but belong to nobody until an admin says otherwise.
    """
    wanted = _checked_name(name)
    row: Row = {
        "id": new_id(), "name": wanted, "skeleton": skeleton(wanted), "admin": admin, "password": None,
        "created_at": time.time(), "disabled_at": None,
    }  # fmt: skip
    try:
        with database.begin() as connection:
            insert_rows(connection, User, [row])
    except IntegrityError:
        other = namesake(database, wanted)
        shown = other.name if other is not None else wanted
        raise ConflictError(f"The name '{wanted}' looks like that of the user '{shown}'; choose another.") from None
    return user_by_id(database, row["id"])


def _checked_name(name: str) -> str:
    wanted = clean_name(name)
    if wanted != name.strip() or not 1 <= len(wanted) <= MAX_NAME:
        raise RefusedError(f"A user's name has 1 to {MAX_NAME} visible characters.")
    if "/" in wanted or skeleton(wanted) in {skeleton(one) for one in RESERVED}:
        raise RefusedError(f"The name '{wanted}' is the arena's own or holds a slash; choose another.")
    return wanted


def namesake(database: Engine, name: str) -> Account | None:
    """Return the user whose name is, or looks like, this one."""
    return _one(database, _USERS.c.skeleton == skeleton(name))


def find_user(database: Engine, name: str) -> Account:
    """Return a user by name, whatever the case of its letters; NotFoundError if there is none."""
    found = _one(database, _USERS.c.name == clean_name(name)) or namesake(database, name)
    if found is None or found.name.casefold() != clean_name(name).casefold():
        raise NotFoundError(f"There is no user '{clean_name(name)[:80]}'.")
    return found


def user_by_id(database: Engine, user_id: str) -> Account:
    """Return a user; NotFoundError if there is none."""
    found = _one(database, _USERS.c.id == user_id)
    if found is None:
        raise NotFoundError("There is no such user.")
    return found


def _one(database: Engine, condition: object) -> Account | None:
    with database.connect() as connection:
        row = connection.execute(select(*_COLUMNS).where(condition)).first()  # type: ignore[arg-type]
    return None if row is None else Account(*row)


def list_users(database: Engine) -> list[Account]:
    """Return all users, by name."""
    with database.connect() as connection:
        return [Account(*row) for row in connection.execute(select(*_COLUMNS).order_by(_USERS.c.name)).all()]


def disable_user(database: Engine, user_id: str) -> None:
    """Let a user in no more: sessions and links end, tokens are of no use while the user is disabled."""
    with database.begin() as connection:
        connection.execute(
            update(_USERS).where(_USERS.c.id == user_id, _USERS.c.disabled_at.is_(None)).values(disabled_at=time.time())
        )
        connection.execute(delete(_SESSIONS).where(_SESSIONS.c.user_id == user_id))
        connection.execute(delete(_LINKS).where(_LINKS.c.user_id == user_id))


def enable_user(database: Engine, user_id: str) -> None:
    """Let a user in again; the user's webhooks are told of trades from now on."""
    with database.begin() as connection:
        newest = connection.execute(select(func.max(_TRADES.c.id))).scalar() or 0
        disabled = select(_USERS.c.id).where(_USERS.c.id == user_id, _USERS.c.disabled_at.is_not(None))
        connection.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.owner_id.in_(disabled)).values(after_trade=newest))
        connection.execute(update(_USERS).where(_USERS.c.id == user_id).values(disabled_at=None))


def give_bots(database: Engine, user_id: str, author: str) -> int:
    """Let the bots of an author that belong to nobody belong to a user; return how many they are."""
    with database.begin() as connection:
        changed = update(_BOTS).where(_BOTS.c.author == author, _BOTS.c.owner_id.is_(None)).values(owner_id=user_id)
        return int(connection.execute(changed).rowcount)


# -- passwords


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody has: checking it takes as long as checking a real one."""
    return _hasher().hash(new_secret())


def set_password(database: Engine, user_id: str, password: str) -> None:
    """Store a password as Argon2id; sessions end, so that whoever knew the old one is out."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise RefusedError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    with _hashing:
        hashed = _hasher().hash(password)
    with database.begin() as connection:
        connection.execute(update(_USERS).where(_USERS.c.id == user_id).values(password=hashed))
        connection.execute(delete(_SESSIONS).where(_SESSIONS.c.user_id == user_id))


def check_password(database: Engine, name: str, password: str) -> Account | None:
    """Return the user whose name and password these are, else None; it takes as long where there is no such user."""
    try:
        account: Account | None = find_user(database, name)
    except NotFoundError:
        account = None
    stored = None
    if account is not None:
        with database.connect() as connection:
            stored = connection.execute(select(_USERS.c.password).where(_USERS.c.id == account.id)).scalar()
    usable = stored is not None and account is not None and account.disabled_at is None
    with _hashing:
        fits = _fits(stored if usable and stored is not None else _nobodys(), password[:MAX_PASSWORD])
    return account if fits and usable and len(password) <= MAX_PASSWORD else None


def _fits(stored: str, password: str) -> bool:
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


# -- one-time links


def make_link(database: Engine, user_id: str) -> str:
    """Return a secret that signs a user in once within a day; the links that the user has had are of no more use."""
    secret, now = new_secret(), time.time()
    row = {
        "hash": hash_of(secret), "user_id": user_id, "created_at": now, "expires_at": now + LINK_SECONDS,
        "used_at": None,
    }  # fmt: skip
    with database.begin() as connection:
        connection.execute(delete(_LINKS).where(_LINKS.c.user_id == user_id))
        insert_rows(connection, SignInLink, [row])
    return secret


def use_link(database: Engine, secret: str) -> Account | None:
    """Return the user whom a link signs in, and use it up; None where it is none, used, or too old."""
    now, hashed = time.time(), hash_of(secret)
    with database.begin() as connection:
        # One statement, so that of two that come at once one alone is let in.
        used = connection.execute(
            update(_LINKS)
            .where(_LINKS.c.hash == hashed, _LINKS.c.used_at.is_(None), _LINKS.c.expires_at > now)
            .values(used_at=now)
        ).rowcount
        user_id = connection.execute(select(_LINKS.c.user_id).where(_LINKS.c.hash == hashed)).scalar() if used else None
    if user_id is None:
        return None
    account = user_by_id(database, str(user_id))
    return account if account.disabled_at is None else None
