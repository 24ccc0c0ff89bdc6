"""What may be so many times is so many times, however many ask at once, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine as Database

from arena.errors import BusyError, ConflictError
from arena.people import tokens
from arena.people.accounts import add_user, make_link, use_link
from arena.people.activity import Deed, record, verify_activity
from arena.people.quotas import Daily, DailyQuota, QuotaLimits
from arena.people.rights import USER_SCOPES, Caller
from arena.store.database import open_database
from arena.submissions.store import SubmissionStore, Wanted
from arena.webhooks import registry

AT_ONCE = 12


@pytest.fixture
def other_server(database: Database, database_url: str) -> Database:
    """The same database as another process has it open."""
    assert database is not None
    return open_database(database_url)


def done(database: Database, other: Database, work: Callable[[Database], object]) -> int:
    """Do a piece of work many times at once, from two servers; return how often it was let through."""

    def try_it(number: int) -> bool:
        try:
            return bool(work((database, other)[number % 2]))
        except (BusyError, ConflictError):
            return False

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = sum(pool.map(try_it, range(2 * AT_ONCE)))
    other.dispose()
    return found


def test_tokens(database: Database, other_server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    ada = add_user(database, "ada")
    assert done(database, other_server, lambda each: tokens.make_token(each, ada, "x", ["read"])) == 3


@pytest.mark.parametrize("owner", ["ada", None])
def test_webhooks(
    database: Database, other_server: Database, monkeypatch: pytest.MonkeyPatch, owner: str | None
) -> None:
    monkeypatch.setattr(registry, "MAX_WEBHOOKS", 3)
    owner_id = add_user(database, owner).id if owner is not None else None
    add = registry.add_webhook
    assert done(database, other_server, lambda each: add(each, "https://e.org", [], owner_id=owner_id)) == 3


def test_what_a_day_has(database: Database, other_server: Database) -> None:
    caller = Caller("token", "ada", add_user(database, "ada").id, USER_SCOPES)
    limits = QuotaLimits(daily={Daily.SUBMISSIONS: 5})

    def take(each: Database) -> bool:
        DailyQuota(each, limits).take(caller)
        return True

    assert done(database, other_server, take) == 5


def test_a_link(database: Database, other_server: Database) -> None:
    link = make_link(database, add_user(database, "ada").id)
    assert done(database, other_server, lambda each: use_link(each, link)) == 1


def test_a_name_of_a_user(database: Database, other_server: Database) -> None:
    assert done(database, other_server, lambda each: add_user(each, "ada")) == 1


def test_a_key_of_a_request(database: Database, other_server: Database) -> None:
    """Of one server: the lease lets no second one take strategies."""
    store = SubmissionStore(database, lambda _: None)
    wanted = Wanted("Hold BTCUSDT.", "ada", "template", idempotency_key="ada: 1", request_hash="x")
    assert done(database, other_server, lambda _: store.take([wanted])[1]) == 1


def test_the_record_of_two_servers_is_one_chain(database: Database, other_server: Database) -> None:
    ada = Caller("token", "ada", "id-of-ada")
    assert done(database, other_server, lambda each: record(each, ada, "", Deed("upload bot"))) == 2 * AT_ONCE
    assert verify_activity(database) == (2 * AT_ONCE, [])
