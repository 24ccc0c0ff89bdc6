"""Who may do what: every route of the app, as nobody, as a stranger, as the owner, by narrow tokens, as an admin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from arena.people import accounts, tokens
from arena.people.rights import Right, Scope
from arena.web.access import SAFE, TABLE, Access, access_of, refuse_unlisted, routes_of
from tests.arenas import Running, bot_source, running, settings_for
from tests.conftest import TOKEN

Headers = dict[str, str]
# Another session is opened, or closed, by these: they are tried last, on their own.
SEASONS = {"/api/v1/seasons", "/api/v1/seasons/close"}


@dataclass
class People:
    """An arena with accounts, and the headers of those who use it."""

    arena: Running
    ada: Headers
    bob: Headers
    root: Headers
    operator: Headers
    bot: str
    submission: str
    webhook: str

    def token(self, name: str, *scopes: Scope) -> Headers:
        database = self.arena.arena.database
        made, _ = tokens.make_token(database, accounts.find_user(database, name), "test", [str(one) for one in scopes])
        return {"authorization": f"Bearer {made}"}


def bearer(arena: Running, name: str, *, admin: bool = False) -> Headers:
    database = arena.arena.database
    account = accounts.add_user(database, name, admin=admin)
    token, _ = tokens.make_token(database, account, "all", [str(scope) for scope in account.scopes])
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("people")
    with running(settings_for(folder, accounts=True, arena_token=TOKEN), folder) as arena:
        ada, bob, root = bearer(arena, "ada"), bearer(arena, "bob"), bearer(arena, "grace", admin=True)
        made = arena.api("POST", "/bots", json={"source": bot_source(name="Adas")}, headers=ada)
        assert made.status_code == 201, made.text
        asked = arena.api("POST", "/strategies", json={"prompt": "Buy 1 BTCUSDT and hold it."}, headers=ada)
        assert asked.status_code == 202, asked.text
        submission = asked.json()["id"]
        arena.ended(submission)
        operator = {"authorization": f"Bearer {TOKEN}"}
        # A port of this machine, which no webhook may reach.
        hook = arena.api("POST", "/webhooks", json={"url": "http://127.0.0.1:9/"}, headers=ada).json()["id"]
        yield People(arena, ada, bob, root, operator, made.json()["bot_id"], submission, hook)


def changing(app: FastAPI) -> list[tuple[str, str]]:
    return [(method, path) for method, path in routes_of(app) if method not in SAFE]


def address(people: People, path: str) -> str:
    """Return an address of a route, about what Ada owns."""
    job = people.arena.api("POST", f"/bots/{people.bot}/verify", headers=people.ada).json()["id"]
    names = {
        "bot_id": people.bot, "submission_id": people.submission, "job_id": job, "token_id": "none", "name": "nobody",
        "number": "1", "webhook_id": people.webhook,
    }  # fmt: skip
    return path.format(**names)


def ask(people: People, method: str, path: str, headers: Headers) -> httpx2.Response:
    bodies: dict[str, Any] = {"reason": "x"} if path.endswith("/disqualify") else {}
    return people.arena.client.request(method, address(people, path), json=bodies, headers=headers)


def test_every_route_that_changes_something_is_in_the_table(people: People) -> None:
    found = changing(people.arena.server.config.app)  # type: ignore[arg-type]
    assert len(found) >= 20
    assert [one for one in found if one not in TABLE] == []


def test_the_table_names_no_route_that_is_not_there(people: People) -> None:
    assert sorted(set(TABLE) - set(routes_of(people.arena.server.config.app))) == []  # type: ignore[arg-type]


def test_a_route_in_no_table_keeps_the_server_from_starting() -> None:
    app = FastAPI()

    @app.post("/api/v1/forgotten")
    def forgotten() -> None:
        """Change something."""

    with pytest.raises(LookupError, match="forgotten"):
        refuse_unlisted(app)


ROWS = sorted(TABLE.items())
WRITES = [(method, path, access) for (method, path), access in ROWS if method not in SAFE]
GUARDED = [
    (method, path, access) for (method, path), access in ROWS if access.right not in {Right.OPEN, Right.READ}
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_nobody_may_do_what_needs_a_right(people: People, method: str, path: str, access: Access) -> None:
    answer = ask(people, method, path, {})
    if path.startswith("/account"):
        # A page: the form without a session is out of date, or refused.
        assert answer.status_code in {401, 403}, answer.text
    else:
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, access in WRITES if access.right is Right.OWN]
)
def test_a_stranger_may_not_touch_what_belongs_to_another(people: People, method: str, path: str) -> None:
    answer = ask(people, method, path, people.bob)
    assert answer.status_code == 403, answer.text
    assert "somebody else" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, access in GUARDED if access.right is Right.ADMIN]
)
def test_only_an_admin_may_do_what_is_the_admins(people: People, method: str, path: str) -> None:
    for headers in (people.ada, people.bob):
        answer = ask(people, method, path, headers)
        assert answer.status_code == 403, answer.text
        assert "admin" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, access in GUARDED if access.right is Right.SIGNED_IN]
)
def test_no_token_may_do_what_is_a_persons_at_the_page(people: People, method: str, path: str) -> None:
    for headers in (people.ada, people.root, people.operator):
        assert ask(people, method, path, headers).status_code == 403


@pytest.mark.parametrize(("method", "path", "access"), WRITES)
def test_a_token_that_may_only_read_changes_nothing(people: People, method: str, path: str, access: Access) -> None:
    if access.right is Right.OPEN:
        assert path in {"/api/v1/session", "/sign-in", "/sign-out", "/mcp"}
        return
    assert ask(people, method, path, people.token("ada", Scope.READ)).status_code == 403


def test_a_token_does_what_its_scopes_say_and_no_more(people: People) -> None:
    submit, manage = people.token("ada", Scope.SUBMIT), people.token("ada", Scope.MANAGE_OWN)
    source = {"source": bot_source(name="Scoped")}
    assert people.arena.api("POST", "/bots", json=source, headers=manage).status_code == 403
    made = people.arena.api("POST", "/bots", json=source, headers=submit)
    assert made.status_code == 201
    own = f"/bots/{made.json()['bot_id']}"
    assert people.arena.api("DELETE", own, headers=submit).status_code == 403
    assert people.arena.api("DELETE", own, headers=manage).status_code == 204


def test_the_owner_and_admins_may(people: People) -> None:
    for number, headers in enumerate((people.ada, people.root, people.operator)):
        seat = people.arena.admitted_as(bot_source(name=f"Managed {number}"), people.ada)
        for what in ("pause", "resume"):
            answer = people.arena.api("POST", f"/bots/{seat.id}/{what}", headers=headers)
            assert answer.status_code == 200, answer.text
        by_name = people.arena.api("DELETE", f"/bots/managed {number}", headers=headers)
        assert by_name.status_code == 204, by_name.text


def test_a_strangers_upload_of_the_name_neither_replaces_nor_versions(people: People) -> None:
    answer = people.arena.api("POST", "/bots", json={"source": bot_source("x = 1", name="Adas")}, headers=people.bob)
    assert answer.status_code == 409
    looks = people.arena.api(
        "POST", "/bots", json={"source": bot_source("x = 1", name="\u0410das")}, headers=people.bob
    )
    assert looks.status_code == 409
    assert "looks like" in looks.json()["detail"]
    assert people.arena.get(f"/bots/{people.bot}")["status"] != "retired"


def test_what_is_handed_in_carries_the_name_of_whoever_did(people: People) -> None:
    assert people.arena.get(f"/bots/{people.bot}")["author"] == "ada"
    assert people.arena.get(f"/strategies/{people.submission}")["author"] == "ada"
    body = {"source": bot_source(name="Borrowed"), "author": "ada"}
    assert people.arena.api("POST", "/bots", json=body, headers=people.bob).status_code == 422
    for_ada = people.arena.api("POST", "/bots", json=body, headers=people.operator)
    assert for_ada.status_code == 201
    assert people.arena.api("POST", f"/bots/{for_ada.json()['bot_id']}/pause", headers=people.bob).status_code == 403
    imitated = {"source": bot_source(name="Third"), "author": "\u0430da"}
    assert people.arena.api("POST", "/bots", json=imitated, headers=people.operator).status_code == 422


def test_a_bot_that_is_called_like_anothers_id_opens_nothing(people: People) -> None:
    made = people.arena.api("POST", "/bots", json={"source": bot_source(name=people.bot)}, headers=people.bob)
    assert made.status_code == 201, made.text
    answer = people.arena.api("POST", f"/bots/{people.bot}/pause", headers=people.bob)
    assert answer.status_code == 403
    assert people.arena.get(f"/bots/{people.bot}")["name"] == "Adas"


def test_reads_stay_public(people: People) -> None:
    for path in ("/leaderboard", "/bots", f"/bots/{people.bot}", "/trades", "/status", "/models", "/me"):
        assert people.arena.api("GET", path).status_code == 200


def test_every_read_that_is_not_public_is_in_the_table() -> None:
    assert access_of("GET", "/api/v1/activity").right is Right.ADMIN
    assert access_of("HEAD", "/api/v1/users").right is Right.ADMIN
    assert access_of("GET", "/api/v1/leaderboard").right is Right.READ


def test_webhooks_are_seen_and_removed_by_their_owner_alone(people: People) -> None:
    made = people.arena.api("POST", "/webhooks", json={"url": "https://example.org"}, headers=people.bob).json()

    def seen(headers: Headers) -> set[str]:
        answer = people.arena.api("GET", "/webhooks", headers=headers)
        assert answer.status_code == 200, answer.text
        return {row["id"] for row in answer.json()["items"]}

    assert seen(people.bob) == {made["id"]}
    assert seen(people.ada) == {people.webhook}
    assert seen(people.root) == {made["id"], people.webhook}
    service = {"url": "tgram://1:a/2"}
    assert people.arena.api("POST", "/webhooks", json=service, headers=people.bob).status_code == 403
    assert people.arena.api("DELETE", f"/webhooks/{made['id']}", headers=people.bob).status_code == 204
    assert seen(people.bob) == set()
