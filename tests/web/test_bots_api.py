"""Bots over HTTP: upload, look, pause, resume, retire."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.arenas import BUYER, Running, bot_source, until

ERRORS = "raise ValueError('no luck')"


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"].endswith((".", ". "))
    return document


def test_an_uploaded_bot_is_created_with_its_address(live: Running, own_name: str) -> None:
    answer = live.api("POST", "/bots", json={"source": bot_source(name=own_name), "author": "Ann"})
    assert answer.status_code == 201
    bot = answer.json()
    assert answer.headers["location"] == f"/api/v1/bots/{bot['bot_id']}"
    assert live.client.get(answer.headers["location"]).json()["bot_id"] == bot["bot_id"]
    assert (bot["name"], bot["author"], bot["origin"], bot["version"]) == (own_name, "Ann", "upload", 1)
    assert uuid.UUID(bot["bot_id"]).version == 7


def test_a_file_can_be_uploaded_as_a_form(live: Running, own_name: str) -> None:
    source = bot_source(name=own_name)
    files = {"file": ("bot.py", source.encode(), "text/x-python")}
    answer = live.api("POST", "/bots", files=files, data={"author": "Form"})
    assert answer.status_code == 201
    assert answer.json()["author"] == "Form"
    assert live.api("GET", f"/bots/{answer.json()['bot_id']}/source").text == source


def test_a_form_without_a_file_is_refused_in_words(live: Running) -> None:
    answer = live.api("POST", "/bots", files={"other": ("x.py", b"x")})
    assert "'file'" in problem(answer, 422)["detail"]


@pytest.mark.parametrize("author", ["a" * 81, ""])
def test_the_author_of_a_form_keeps_the_same_rules_as_json(live: Running, author: str, own_name: str) -> None:
    form = live.api(
        "POST", "/bots", files={"file": ("b.py", bot_source(name=own_name).encode())}, data={"author": author}
    )
    json = live.api("POST", "/bots", json={"source": bot_source(name=own_name), "author": author})
    if author:
        problem(form, 422)
        problem(json, 422)
    else:
        assert form.json()["author"] == json.json()["author"] == "local"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"source": 1}', b'{"nothing": ""}', b'{"source": "", "more": 1}'])
def test_a_body_of_the_wrong_shape_is_a_problem(live: Running, body: bytes) -> None:
    answer = live.api("POST", "/bots", content=body, headers={"content-type": "application/json"})
    problem(answer, 422)


def test_a_refused_bot_comes_back_with_places_reasons_and_hints(live: Running) -> None:
    source = "import os; os.sep\n" + bot_source("eval('1')", name="Breaker")
    found = problem(live.api("POST", "/bots", json={"source": source}), 422)["violations"]
    assert {violation["line"] for violation in found} == {1, 6}
    for violation in found:
        assert set(violation) == {"line", "column", "rule", "message", "hint"}
        assert all([violation["rule"], violation["message"], violation["hint"]])


def test_a_checked_source_is_not_admitted(live: Running, own_name: str) -> None:
    found = live.api("POST", "/bots/check", json={"source": bot_source(name=own_name)}).json()
    assert found["accepted"]
    assert (found["name"], found["symbols"], found["violations"]) == (own_name, ["BTCUSDT"], [])
    problem(live.api("GET", f"/bots/{own_name}"), 404)


def test_a_check_tells_why_a_source_is_refused(live: Running) -> None:
    answer = live.api("POST", "/bots/check", json={"source": "NAME = 'x'\nSYMBOLS = ['A']\n"})
    assert answer.status_code == 200
    assert not answer.json()["accepted"]
    assert "on_tick" in answer.json()["violations"][0]["message"]


@pytest.mark.parametrize("source", ["", "\0", "\ufeff", "def", "\N{SNOWMAN}" * 1000])
def test_strange_sources_are_refused_not_feared(live: Running, source: str) -> None:
    answer = live.api("POST", "/bots/check", json={"source": source})
    assert answer.status_code == 200
    assert not answer.json()["accepted"]
    problem(live.api("POST", "/bots", json={"source": source}), 422)


@pytest.mark.parametrize("path", ["/bots", "/bots/check"])
def test_a_lone_surrogate_is_a_problem_of_the_caller(live: Running, path: str) -> None:
    answer = live.api(
        "POST", path, content=b'{"source": "x = \'\\ud800\'"}', headers={"content-type": "application/json"}
    )
    assert answer.status_code in {200, 422}


def test_the_same_source_again_is_the_same_bot(live: Running, own_name: str) -> None:
    first = live.api("POST", "/bots", json={"source": bot_source(name=own_name)})
    again = live.api("POST", "/bots", json={"source": bot_source(name=own_name)})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["bot_id"] == again.json()["bot_id"]


def test_a_new_source_of_the_same_author_is_a_new_version(live: Running, own_name: str) -> None:
    first = live.upload(bot_source(name=own_name), "Ann")
    second = live.upload(bot_source("x = 1", name=own_name), "Ann")
    assert (second["name"], second["version"]) == (f"{own_name} v2", 2)
    assert second["trades"] == 0
    assert live.get(f"/bots/{first['bot_id']}")["status"] == "retired"


def test_the_name_of_another_author_is_a_conflict(live: Running, own_name: str) -> None:
    live.upload(bot_source(name=own_name), "Ann")
    answer = live.api("POST", "/bots", json={"source": bot_source("x = 1", name=own_name), "author": "Bob"})
    assert own_name in problem(answer, 409)["detail"]


def test_warnings_are_told_and_do_not_refuse(live: Running, own_name: str) -> None:
    body = "ctx.submit_order('NOPE', 'BUY', -1)\nraise ValueError('no luck')"
    bot = live.upload(bot_source(body, name=own_name, symbols='["NOPE"]'))
    text = " ".join(bot["warnings"])
    assert "NOPE is not in this market" in text
    assert "DATA_SOURCES" in text
    assert "raised an exception" in text
    assert "rejected" in text
    quiet = live.upload(bot_source(name=own_name + " quiet"))
    assert "placed no orders" in " ".join(quiet["warnings"])


def test_a_check_without_a_report_only_reads_the_source(live: Running, own_name: str) -> None:
    found = live.api("POST", "/bots/check?report=false", json={"source": bot_source(name=own_name)}).json()
    assert found["accepted"]
    assert found["report"] is None


@pytest.mark.system
def test_a_bot_that_never_returns_is_refused_by_its_trial(live: Running) -> None:
    found = problem(live.api("POST", "/bots", json={"source": bot_source("while True: pass", name="Spinner")}), 422)
    assert "trial" in found["violations"][0]["message"]
    assert "TIMEOUT" in found["violations"][0]["message"]


def test_a_bot_that_cannot_be_loaded_is_refused(live: Running) -> None:
    source = bot_source(name="Loader", top="x = 1 // 0")
    found = problem(live.api("POST", "/bots", json={"source": source}), 422)
    assert "division" in str(found["violations"])


@pytest.mark.parametrize("by", ["bot_id", "name"])
def test_a_bot_is_paused_resumed_and_retired_by_id_and_by_name(live: Running, own_name: str, by: str) -> None:
    seat = live.admitted(bot_source(name=own_name))
    key = {"bot_id": seat.id, "name": own_name.replace(" ", "%20")}[by]
    for _ in range(2):
        assert live.api("POST", f"/bots/{key}/pause").json()["status"] == "paused"
    for _ in range(2):
        assert live.api("POST", f"/bots/{key}/resume").json()["status"] == "active"
    gone = live.api("DELETE", f"/bots/{key}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert live.get(f"/bots/{seat.id}")["status"] == "retired"
    problem(live.api("POST", f"/bots/{key}/resume"), 409)
    problem(live.api("POST", f"/bots/{key}/pause"), 409)


def test_a_name_with_a_slash_finds_its_bot(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=f"{own_name} BTC/USD"))
    (found,) = live.get("/bots", params={"name": f"{own_name} btc/usd"})["items"]
    assert found["bot_id"] == bot["bot_id"]
    problem(live.api("GET", "/bots", params={"name": f"{own_name} BTC/EUR"}), 404)
    # No address holds such a name.
    problem(live.api("GET", f"/bots/{own_name} BTC%2FUSD"), 404)


@pytest.mark.parametrize("part", ["", "/source", "/trades", "/orders", "/logs", "/equity"])
def test_an_unknown_bot_is_not_found(live: Running, part: str) -> None:
    problem(live.api("GET", f"/bots/nobody{part}"), 404)


@pytest.mark.parametrize(("method", "part"), [("POST", "/pause"), ("POST", "/resume"), ("DELETE", "")])
def test_an_unknown_bot_cannot_be_changed(live: Running, method: str, part: str) -> None:
    problem(live.api(method, f"/bots/nobody{part}"), 404)


def test_a_bot_leaves_trades_orders_equity_and_logs(live: Running, own_name: str) -> None:
    body = f"{BUYER}\nctx.log('tick')\nctx.submit_order('NOPE', 'BUY', 1.0)"
    seat = live.admitted(bot_source(body, name=own_name))
    until(lambda: seat.score.trades and live.get(f"/bots/{seat.id}/equity")["items"], "a trade and a snapshot")
    (trade,) = live.get(f"/bots/{seat.id}/trades")["items"]
    assert (trade["bot_name"], trade["side"], trade["size"]) == (own_name, "BUY", 0.001)
    assert trade["cash_after"] == pytest.approx(10_000 - trade["price"] * 0.001)
    orders = live.get(f"/bots/{seat.id}/orders?limit=1000")["items"]
    filled = next(order for order in orders if order["status"] == "filled")
    assert (filled["fill_price"], filled["fill_time"]) == (trade["price"], trade["time"])
    assert filled["time"] < trade["time"]
    refused = next(order for order in orders if order["status"] == "rejected")
    assert refused["reason"] == "No price available for NOPE"
    levels = {row["level"] for row in live.get(f"/bots/{seat.id}/logs")["items"]}
    assert levels == {"INFO", "WARNING"}
    (point, *_) = live.get(f"/bots/{seat.id}/equity")["items"]
    assert set(point) >= {"time", "equity", "realized_pnl", "unrealized_pnl"}
    assert live.get(f"/bots/{seat.id}")["positions"] == {"BTCUSDT": 0.001}


def test_logs_are_paged_without_gap_or_repeat(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source("ctx.log('tick')", name=own_name))
    until(lambda: len(live.get(f"/bots/{seat.id}/logs")["items"]) >= 5, "five lines")
    assert live.api("POST", f"/bots/{seat.id}/pause").status_code == 200
    whole = [row["id"] for row in live.get(f"/bots/{seat.id}/logs?limit=1000")["items"]]
    paged, cursor = [], None
    while True:
        page = live.get(f"/bots/{seat.id}/logs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        paged += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert paged == whole
    assert whole == sorted(whole, reverse=True)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=-1"])
def test_page_limits_are_checked(live: Running, own_name: str, query: str) -> None:
    bot = live.upload(bot_source(name=own_name))
    problem(live.api("GET", f"/bots/{bot['bot_id']}/trades?{query}"), 422)
    live.api("DELETE", f"/bots/{bot['bot_id']}")


def test_the_error_of_a_bot_is_shown_and_clears_with_the_next_good_tick(live: Running, own_name: str) -> None:
    source = bot_source("global n\nn += 1\nif n < 10: raise ValueError('no luck')", name=own_name, top="n = 0")
    seat = live.admitted(source)
    # An answer that came late on a busy machine counts for nothing, so there may be fewer than nine.
    until(lambda: seat.errors and seat.last_error is None, "errors, then none")
    shown = live.get(f"/bots/{seat.id}")
    assert (shown["last_error"], shown["status"]) == (None, "active")
    assert 1 <= shown["errors"] <= 9
    lines = [row["message"] for row in live.get(f"/bots/{seat.id}/logs")["items"] if row["level"] == "ERROR"]
    assert len(lines) == shown["errors"]
    form = re.escape(f"Error in bot '{own_name}' on_tick: no luck") + r" \(ValueError, line \d+, tick \d+\)"
    assert all(re.fullmatch(form, line) for line in lines)


def test_the_list_of_bots_has_the_retired_too(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=own_name))
    live.api("DELETE", f"/bots/{bot['bot_id']}")
    listed = {item["bot_id"]: item for item in live.get("/bots")["items"]}
    assert listed[bot["bot_id"]]["status"] == "retired"
    board = {item["bot_id"] for item in live.get("/leaderboard?limit=1000")["items"]}
    assert bot["bot_id"] not in board
