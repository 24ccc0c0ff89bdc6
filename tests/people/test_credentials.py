"""Tokens and passwords: their shape, what is stored of them, and when they are of no use."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.people import accounts, sessions, tokens
from arena.people.credentials import is_token, new_token
from arena.people.rights import Scope


def stored(database: Database) -> str:
    """Return all that the database holds of people, as text."""
    with database.connect() as connection:
        tables = ("users", "tokens", "sessions", "sign_in_links", "activity")
        return "\n".join(str(connection.execute(text(f"SELECT * FROM {table}")).all()) for table in tables)


def test_a_token_has_256_random_bits_and_a_checksum() -> None:
    made = {new_token() for _ in range(50)}
    assert len(made) == 50
    assert {len(token) for token in made} == {len("arena_") + 43 + 6}
    assert all(is_token(token) for token in made)


@given(st.integers(0, 54), st.characters(codec="utf-8"))
def test_a_slip_in_a_token_is_seen(place: int, other: str) -> None:
    token = new_token()
    changed = token[:place] + other + token[place + 1 :]
    assert is_token(changed) == (changed == token)


@given(st.text(max_size=80))
def test_no_other_text_is_a_token(text: str) -> None:
    assert not is_token(text)
    assert not is_token("arena_" + text)


def test_no_secret_is_stored(database: Database) -> None:
    user = accounts.add_user(database, "ada")
    token, _ = tokens.make_token(database, user, "one", ["read"])
    link = accounts.make_link(database, user.id)
    accounts.set_password(database, user.id, "correct horse battery")
    session = sessions.open_session(database, user, "127.0.0.1")
    found = stored(database)
    assert "$argon2id$" in found
    for secret in (token, token[6:], link, "correct horse battery", session):
        assert secret not in found


def test_a_token_is_of_use_until_it_ends_or_is_revoked(database: Database) -> None:
    user = accounts.add_user(database, "ada", admin=True)
    token, row = tokens.make_token(database, user, "one", ["admin"], days=1)
    caller = tokens.caller_of(database, token)
    assert caller is not None
    assert (caller.name, caller.admin, caller.by) == ("ada", True, "token")
    with database.begin() as connection:
        connection.execute(text("UPDATE tokens SET expires_at = :now"), {"now": time.time() - 1})
    assert tokens.caller_of(database, token) is None
    other, row = tokens.make_token(database, user, "two", ["read"])
    tokens.revoke_token(database, user.id, row["id"])
    assert tokens.caller_of(database, other) is None
    assert tokens.caller_of(database, new_token()) is None


@pytest.mark.parametrize(("scopes", "days"), [([], None), (["write"], None), (["read"], 0), (["read"], 1000)])
def test_a_token_that_makes_no_sense_is_refused(database: Database, scopes: list[str], days: float | None) -> None:
    user = accounts.add_user(database, "ada")
    with pytest.raises(RefusedError):
        tokens.make_token(database, user, "x", scopes, days)


def test_a_user_has_so_many_tokens(database: Database) -> None:
    user = accounts.add_user(database, "ada")
    for number in range(tokens.MAX_TOKENS):
        tokens.make_token(database, user, str(number), ["read"])
    with pytest.raises(ConflictError, match="revoke one"):
        tokens.make_token(database, user, "x", ["read"])


def test_sessions_end_by_time(database: Database) -> None:
    user = accounts.add_user(database, "ada")
    for column, moment in (("expires_at", time.time() - 1), ("seen_at", time.time() - sessions.IDLE - 1)):
        secret = sessions.open_session(database, user, "")
        found = sessions.caller_of(database, secret)
        assert found is not None
        assert Scope.ADMIN not in found.scopes
        with database.begin() as connection:
            connection.execute(text(f"UPDATE sessions SET {column} = :moment"), {"moment": moment})
        assert sessions.caller_of(database, secret) is None


def test_a_link_ends_by_time_and_by_the_next(database: Database) -> None:
    user = accounts.add_user(database, "ada")
    first, second = accounts.make_link(database, user.id), accounts.make_link(database, user.id)
    assert accounts.use_link(database, first) is None
    with database.begin() as connection:
        connection.execute(text("UPDATE sign_in_links SET expires_at = :now"), {"now": time.time() - 1})
    assert accounts.use_link(database, second) is None


@pytest.mark.parametrize(
    "name", ["", " ", "a" * 41, "admin", "\u0430dmin", "operator", "a/b", "a\u202eb", "a\x00b", "Arena", "lokal\n"]
)
def test_a_name_that_misleads_is_refused(database: Database, name: str) -> None:
    if name == "lokal\n":
        assert accounts.add_user(database, name).name == "lokal"
    else:
        with pytest.raises(RefusedError):
            accounts.add_user(database, name)


def test_a_name_that_looks_like_anothers_is_refused(database: Database) -> None:
    accounts.add_user(database, "ada lovelace")
    for name in ("Ada Lovelace", "ada_lovelace", "\u0430da lovelace", "ada l0velace"):
        with pytest.raises(ConflictError, match="looks like"):
            accounts.add_user(database, name)
    assert accounts.find_user(database, "ADA LOVELACE").name == "ada lovelace"
    with pytest.raises(NotFoundError):
        accounts.find_user(database, "\u0430da lovelace")
