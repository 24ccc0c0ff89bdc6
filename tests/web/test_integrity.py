"""Honest boards: one program or the same orders under several owners, names that imitate, disqualified bots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arena.people import accounts, tokens
from arena.people.integrity import MIN_ORDERS
from tests.arenas import Running, bot_source, running, settings_for, until

TRADER = 'ctx.submit_order("BTCUSDT", "BUY", 0.0001)'


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("integrity")
    with running(settings_for(folder, accounts=True), folder) as found:
        yield found


@pytest.fixture(scope="module")
def people(arena: Running) -> dict[str, dict[str, str]]:
    found = {}
    for name, admin in (("ada", False), ("bob", False), ("root user", True)):
        account = accounts.add_user(arena.arena.database, name, admin=admin)
        token, _ = tokens.make_token(arena.arena.database, account, "all", [str(scope) for scope in account.scopes])
        found[name] = {"authorization": f"Bearer {token}"}
    return found


def kinds(arena: Running, bot: str) -> list[str]:
    return [flag["kind"] for flag in arena.get(f"/bots/{bot}/integrity")["items"]]


@pytest.mark.system
def test_the_same_program_of_one_owner_is_no_matter(arena: Running, people: dict[str, dict[str, str]]) -> None:
    bot = arena.admitted_as(bot_source("x = 0", name="Alone"), people["ada"])
    assert kinds(arena, bot.id) == []


def test_the_same_orders_of_two_owners_are_flagged(arena: Running, people: dict[str, dict[str, str]]) -> None:
    first = arena.admitted_as(bot_source(TRADER, name="Original"), people["ada"])
    second = arena.admitted_as(bot_source(f"x = 1\n{TRADER}", name="Copy"), people["bob"])
    for seat, who in ((first, "ada"), (second, "bob")):
        assert arena.api("POST", f"/bots/{seat.id}/pause", headers=people[who]).status_code == 200
    # Their chains differ by the tick at which they came in; here they are as if both had come in at one.
    arena.ticks(2)
    with arena.arena.database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE entries SET orders_count = ?, orders_digest = 'same' WHERE bot_id IN (?, ?)",
            (MIN_ORDERS, first.id, second.id),
        )
    assert kinds(arena, first.id) == ["same orders"]
    (flag,) = arena.get(f"/bots/{second.id}/integrity")["items"]
    assert flag["bots"] == [{"bot_id": first.id, "name": "Original", "author": "ada"}]
    assert "Original by ada" in flag["sentence"]
    assert [one["kind"] for one in arena.get("/integrity")["items"]] == ["same orders"]


@pytest.mark.system
def test_a_name_that_imitates_anothers_is_refused(arena: Running, people: dict[str, dict[str, str]]) -> None:
    arena.admitted_as(bot_source("x = 2", name="Momentum"), people["ada"])
    for name in ("M\u043ementum", "MOMENTUM", "Momenturn", "Moment_um", "M\u043ementum v2"):
        answer = arena.api("POST", "/bots", json={"source": bot_source("x = 3", name=name)}, headers=people["bob"])
        assert answer.status_code == 409, name
        assert "looks like 'Momentum'" in answer.json()["detail"]
    own = arena.api("POST", "/bots", json={"source": bot_source("x = 3", name="MOMENTUM")}, headers=people["ada"])
    assert own.status_code == 201


def test_a_strategy_under_a_name_that_imitates_is_refused(arena: Running, people: dict[str, dict[str, str]]) -> None:
    arena.admitted_as(bot_source("x = 2", name="Trendy"), people["ada"])
    body = {"prompt": "Buy and hold BTC.", "name": "Tr\u0435ndy"}
    asked = arena.api("POST", "/strategies", json=body, headers=people["bob"])
    assert asked.status_code == 409
    assert "looks like 'Trendy'" in asked.json()["detail"]
    assert arena.api("POST", "/strategies", json=body, headers=people["ada"]).status_code == 202


def test_a_disqualified_bot_stays_visible_with_its_reason(arena: Running, people: dict[str, dict[str, str]]) -> None:
    admin = people["root user"]
    source = bot_source("x = 4", name="Cheat")
    seat = arena.admitted_as(source, people["bob"])
    answer = arena.api("POST", f"/bots/{seat.id}/disqualify", json={"reason": "A\x1b[31m clone."}, headers=admin)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["status"], shown["disqualified"]) == ("disqualified", "A[31m clone.")

    def row() -> dict[str, object] | None:
        items = arena.get("/leaderboard?limit=1000")["items"]
        return next((one for one in items if one["bot_id"] == seat.id and one["disqualified"]), None)

    found = until(row, "the board shows it", 60.0)
    assert (found["rank"], found["status"]) == (None, "disqualified")
    items = arena.get("/leaderboard?limit=1000")["items"]
    assert items[-1]["bot_id"] == seat.id
    assert [one["rank"] for one in items[:-1]] == list(range(1, len(items)))
    assert kinds(arena, seat.id) == ["disqualified"]
    page = arena.client.get(f"/bots/{seat.id}").text
    assert "A[31m clone." in page
    # Neither its owner nor another brings it back.
    for who in ("bob", "ada"):
        again = arena.api("POST", "/bots", json={"source": source}, headers=people[who])
        assert again.status_code == 409, again.text
    assert arena.api("POST", f"/bots/{seat.id}/resume", headers=people["bob"]).status_code == 409
    back = arena.api("DELETE", f"/bots/{seat.id}/disqualify", headers=admin)
    assert (back.json()["status"], back.json()["disqualified"]) == ("retired", None)


def test_a_disqualification_needs_a_reason(arena: Running, people: dict[str, dict[str, str]]) -> None:
    seat = arena.admitted_as(bot_source("x = 5", name="Judged"), people["bob"])
    for reason in ("", "  ", "\u200b"):
        answer = arena.api("POST", f"/bots/{seat.id}/disqualify", json={"reason": reason}, headers=people["root user"])
        assert answer.status_code == 422
    assert arena.get(f"/bots/{seat.id}")["status"] != "disqualified"
