"""The Python client against a running server, both kinds of it, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from arena import client
from arena.client import (
    ApiAuthError,
    ApiBusyError,
    ApiError,
    ApiNotFoundError,
    ApiRefusedError,
    Arena,
    AsyncArena,
    ServerUnreachableError,
    Table,
    documents,
)
from arena.client.exchange import JOB_ENDS, SUBMISSION_ENDS
from arena.errors import ArenaError
from arena.store import jobs
from arena.submissions.states import FINAL
from arena.web import schemas
from tests.arenas import BUYER, Running, bot_source, until
from tests.client.generate import SOURCE, TARGET, synchronous
from tests.conftest import TOKEN

EMA = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"


@pytest.fixture
def arena(live: Running) -> Iterator[Arena]:
    with Arena(live.url) as found:
        yield found


@contextmanager
def answering(*answers: tuple[int, dict[str, str], Any]) -> Iterator[tuple[str, list[str]]]:
    """Serve these answers one after the other, the last one again and again; yield the address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, body = answers[min(len(asked), len(answers) - 1)]
            asked.append(f"{self.command} {self.path} {self.headers.get('Last-Event-ID') or ''}".strip())
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = reply
        do_POST = reply

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_plain_client_is_made_of_the_one_for_asyncio() -> None:
    made = synchronous(SOURCE.read_text("utf-8"))
    assert made == TARGET.read_text("utf-8"), "run `make client`"


def test_a_submission_is_waited_for(arena: Arena, own_name: str) -> None:
    submission = arena.submit(EMA, name=own_name).wait(60)
    assert (submission.status, submission.bot()["name"]) == ("admitted", own_name)
    same = arena.submission(submission.id)
    assert same.document["attempts"][0]["model"] == "template"
    assert [event.kind for event in same.events()] == ["submission"]


def test_the_same_key_submits_once(arena: Arena, own_name: str) -> None:
    first, second = (arena.submit(EMA, name=own_name, key=own_name) for _ in range(2))
    assert first.id == second.id


def test_a_strategy_that_is_not_understood_says_why(arena: Arena) -> None:
    submission = arena.submit("please whistle a merry tune").wait(60)
    assert submission.status == "rejected"
    with pytest.raises(ArenaError, match="whistle"):
        submission.bot()


def test_a_bot_is_uploaded_looked_at_and_changed(arena: Arena, live: Running, own_name: str) -> None:
    source = bot_source(f"{BUYER}\nctx.log('here')", name=own_name)
    assert arena.check(source, report=False)["accepted"]
    bot = arena.upload(source, author="Ann")
    seat = live.seat(own_name)
    until(lambda: seat.score.trades and live.get(f"/bots/{seat.id}/logs")["items"], "a trade")
    assert arena.source(own_name) == source
    (trade,) = arena.trades(bot["bot_id"], limit=None)
    assert (trade["side"], trade["bot_name"]) == ("BUY", own_name)
    assert arena.orders(own_name)[0]["status"] == "filled"
    assert "here" in {row["message"] for row in arena.logs(own_name)}
    assert own_name in {row["name"] for row in arena.bots()}
    assert own_name in {row["name"] for row in arena.leaderboard(limit=None)}
    assert arena.leaderboard().head["season"]["number"] == 1
    assert arena.pause(own_name)["status"] == "paused"
    assert arena.resume(own_name)["status"] == "active"
    arena.retire(own_name)
    assert arena.bot(own_name)["status"] == "retired"


def test_what_is_known_of_a_bot_is_read(arena: Arena, live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    until(lambda: live.get(f"/bots/{seat.id}/trades")["items"], "a trade")
    until(lambda: live.get(f"/bots/{seat.id}/equity")["items"], "an equity row")
    (trade,) = arena.trades(own_name)
    why = arena.explain_trade(own_name, trade["id"])
    assert why["order"]["side"] == "BUY"
    assert arena.explain_tick(own_name, why["tick"])["tick"] == why["tick"]
    for season in (None, 1):
        assert arena.equity(own_name, season=season)[0]["equity"] > 0
        assert arena.statistics(own_name, season=season)["bot_id"] == seat.id
        assert [one["bot_id"] for one in arena.lineage(own_name, season=season)] == [seat.id]
        assert arena.behaviour(own_name, season=season)["findings"]
        assert set(arena.prices(season=season)["prices"]) == {"BTCUSDT", "ETHUSDT"}
    with pytest.raises(ApiNotFoundError, match="season 99"):
        arena.lineage(own_name, season=99)
    assert arena.status()["season"]["number"] == 1
    assert arena.models()[0]["name"] == "template"
    assert arena.me()["accounts"] is False


def test_a_bot_is_played_over_a_market_file(arena: Arena, live: Running, own_name: str) -> None:
    live.admitted(bot_source(BUYER, name=own_name))
    prices = "time,symbol,price\n" + "".join(f"{1_767_225_600 + n},BTCUSDT,{100 + n}\n" for n in range(9))
    made = live.api("POST", f"/tapes?name={own_name.replace(' ', '-')}.csv", content=prices.encode())
    tape = made.json()["name"]
    assert tape in {one["name"] for one in arena.tapes()}
    run = arena.backtest([own_name], tape).wait(60)
    assert run["report"]["bots"][0]["trades"] == 1
    assert arena.backtest([own_name], tape).wait(60) == run


def test_bots_are_rated_in_a_tournament(arena: Arena, live: Running, own_name: str) -> None:
    bots = [live.admitted(bot_source(BUYER, name=f"{own_name} {n}")).name for n in range(2)]
    found = arena.tournament(bots, tiers=["calm"], rounds=2, ticks=60).wait(60)
    assert [row["name"] for row in found["report"]["table"]] == sorted(bots)
    with pytest.raises(ApiError, match="at least 2 entries"):
        arena.tournament(bots[:1])


def test_work_is_looked_at_again_and_cancelled(arena: Arena, live: Running, own_name: str) -> None:
    bot = live.admitted(bot_source(BUYER, name=own_name)).id
    done = arena.revise(bot, "please whistle a merry tune").wait(60)
    assert (done.refresh().ended, done.bot_id) == (True, None)
    assert done.reason
    with pytest.raises(ApiError, match="ended already"):
        done.cancel()
    job = arena.verify(bot).wait(60)
    # What has ended stays as it ended.
    assert job.cancel().refresh().status == "done"


def test_webhooks_are_added_tried_listed_and_removed(arena: Arena) -> None:
    with answering((200, {}, {})) as (url, asked):
        made = arena.add_webhook(f"{url}/hook", events=["trade"])
        assert made["secret"].startswith("whsec_")
        assert not arena.test_webhook(made["id"])["delivered"]
        assert made["id"] in {one["id"] for one in arena.webhooks()}
        arena.remove_webhook(made["id"])
        assert made["id"] not in {one["id"] for one in arena.webhooks()}
    assert asked == []


def test_a_name_with_a_slash_is_found(arena: Arena, live: Running, own_name: str) -> None:
    name = f"{own_name} a/b"
    live.upload(bot_source(name=name))
    assert arena.bot(name)["name"] == name


def test_pages_are_put_together(live: Running, own_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seat = live.admitted(bot_source('ctx.log("a")', name=own_name))
    until(lambda: len(live.get(f"/bots/{seat.id}/logs")["items"]) >= 7, "seven lines")
    monkeypatch.setattr("arena.client.synchronous.PAGE", 3)
    with Arena(live.url) as arena:
        arena.pause(own_name)
        live.between_ticks()
        lines = arena.logs(own_name, limit=None)
        assert len(lines) >= 7
        assert len({row["id"] for row in lines}) == len(lines)
        assert lines.head["next_cursor"] is None
        assert arena.logs(own_name, limit=5) == lines[:5]


def test_a_job_brings_its_result(arena: Arena, live: Running, own_name: str) -> None:
    live.admitted(bot_source(BUYER, name=own_name))
    live.ticks(2)
    job = arena.verify(own_name)
    *_, last = job.events()
    assert last.data["status"] == "done"
    assert job.result["status"] == "reproduced"
    assert arena.job(job.id).wait(60).result == job.result


def test_what_the_server_streams_goes_on_after_the_last_event(arena: Arena, live: Running) -> None:
    events = arena.events()
    first = next(events)
    events.close()
    again = arena.events(after=first.id)
    ticks = [event.data["n"] for event, _ in zip((e for e in again if e.kind == "tick"), range(2), strict=False)]
    again.close()
    assert ticks[1] == ticks[0] + 1


def test_asyncio_programs_have_the_same(live: Running, own_name: str) -> None:
    async def play() -> tuple[str, str, int, Table[Any]]:
        async with AsyncArena(live.url) as arena:
            submission = await (await arena.submit(EMA, name=own_name)).wait(60)
            bot = await submission.bot()
            tick = 0
            events = arena.events()
            async for event in events:
                if event.kind == "tick":
                    tick = event.data["n"]
                    break
            await events.aclose()
            return submission.status, bot["name"], tick, await arena.seasons()

    status, name, tick, seasons = asyncio.run(play())
    assert (status, name) == ("admitted", own_name)
    assert tick >= 0
    assert seasons[0]["number"] == 1


# -- errors


def test_refusals_carry_their_places(arena: Arena, own_name: str) -> None:
    with pytest.raises(ApiRefusedError) as refused:
        arena.upload("import os; os.sep\n" + bot_source(name=own_name))
    assert (refused.value.status, refused.value.errors[0]["line"]) == (422, 1)
    with pytest.raises(ApiError) as wrong:
        arena.leaderboard(sort="nonsense")
    assert wrong.value.errors == [{"detail": str(wrong.value).split(" And")[0], "parameter": "sort"}]
    with pytest.raises(ApiNotFoundError, match="nobody"):
        arena.bot("nobody")


def test_a_write_needs_the_token(guarded: Running, own_name: str) -> None:
    with Arena(guarded.url) as arena, pytest.raises(ApiAuthError):
        arena.upload(bot_source(name=own_name))
    with Arena(guarded.url, TOKEN) as arena:
        assert arena.upload(bot_source(name=own_name))["name"] == own_name


BUSY = (503, {"retry-after": "0"}, {"detail": "Later."})
SEASONS = (200, {}, {"items": []})


@pytest.mark.parametrize(
    ("call", "answers", "tries"),
    [
        (lambda arena: arena.seasons(), [BUSY, BUSY, SEASONS], 3),
        (lambda arena: arena.pause("x"), [BUSY], 1),
        (lambda arena: arena.submit("x", key="k"), [BUSY], 3),
        (lambda arena: arena.seasons(), [(429, {"retry-after": "3600"}, {"detail": "Tomorrow."})], 1),
        (lambda arena: arena.seasons(), [(500, {}, {"detail": "No."})], 1),
    ],
    ids=["a read", "a write", "a write with a key", "too long a wait", "a fault"],
)
def test_only_what_may_be_repeated_is_repeated(
    call: Callable[[Arena], Any], answers: list[tuple[int, dict[str, str], Any]], tries: int
) -> None:
    with answering(*answers) as (url, asked), Arena(url) as arena:
        if answers[-1] is SEASONS:
            assert call(arena) == []
        else:
            with pytest.raises(ApiError) as error:
                call(arena)
            assert str(error.value) == answers[-1][2]["detail"]
    assert len(asked) == tries


def test_too_many_requests_say_when_to_come_back() -> None:
    answer = (429, {"retry-after": "3600"}, {"detail": "Tomorrow.", "resets_at": 5.0})
    with answering(answer) as (url, _), Arena(url) as arena, pytest.raises(ApiBusyError) as error:
        arena.seasons()
    assert (error.value.retry_after, error.value.resets_at) == (3600.0, 5.0)


@pytest.mark.parametrize(
    "answer", [(200, {"content-type": "text/html"}, b"<h1>It works</h1>"), (502, {}, b"<h1>Bad gateway</h1>")]
)
def test_what_is_no_arena_is_told_in_a_sentence(answer: tuple[int, dict[str, str], bytes]) -> None:
    with answering(answer) as (url, _), Arena(url, retries=0) as arena, pytest.raises(ArenaError) as error:
        arena.seasons()
    assert "no arena" in str(error.value) or "HTTP 502" in str(error.value)


@pytest.mark.parametrize("url", ["http://[bad", "nonsense", "http://127.0.0.1:1"])
def test_no_server_is_told_in_a_sentence(url: str) -> None:
    with Arena(url, retries=0) as arena, pytest.raises(ServerUnreachableError, match="No arena answers"):
        arena.seasons()


def test_a_broken_stream_is_taken_up_after_the_last_event() -> None:
    def stream(*events: tuple[str, dict[str, Any]]) -> tuple[int, dict[str, str], bytes]:
        text = "".join(f"id: {n}\nevent: submission\ndata: {json.dumps(data)}\n\n" for n, data in events)
        return 200, {"content-type": "text/event-stream"}, text.encode()

    begun = {"id": "s", "status": "generating", "reason": None, "bot_id": None}
    answers = (
        (200, {}, begun), stream(("a-1", begun)), stream(), stream(("a-2", {**begun, "status": "admitted"})),
    )  # fmt: skip
    with answering(*answers) as (url, asked), Arena(url) as arena:
        statuses = [event.data["status"] for event in arena.submission("s").events()]
    assert statuses == ["generating", "admitted"]
    assert asked[2:] == ["GET /api/v1/strategies/s/events a-1"] * 2


# -- types and tables


@pytest.mark.parametrize(
    ("document", "model"),
    [
        (documents.Violation, schemas.ViolationItem), (documents.CheckDocument, schemas.CheckReport),
        (documents.SubmissionDocument, schemas.SubmissionDetail), (documents.JobDocument, schemas.JobDetail),
        (documents.BoardRow, schemas.BoardItem), (documents.BotDocument, schemas.BotDetail),
        (documents.TradeRow, schemas.TradeItem), (documents.OrderRow, schemas.OrderItem),
        (documents.LogRow, schemas.LogItem), (documents.EquityRow, schemas.EquityPoint),
        (documents.SeasonDocument, schemas.SeasonDetail),
    ],
)  # fmt: skip
def test_the_types_have_the_members_that_the_server_sends(document: type, model: type[BaseModel]) -> None:
    assert set(get_type_hints(document)) == set(model.model_fields)


def test_the_ends_are_those_of_the_server() -> None:
    assert set(SUBMISSION_ENDS) == {status.value for status in FINAL}
    assert set(JOB_ENDS) == {status.value for status in jobs.FINAL}


def test_lists_become_data_frames() -> None:
    table = Table([{"a": None, "b": "x"}, {"a": 1.5, "b": "y"}], {"next_cursor": None})
    assert table.to_pandas()["a"].sum() == 1.5
    assert table.to_polars()["b"].to_list() == ["x", "y"]
    assert table.document == {"next_cursor": None, "items": list(table)}


# -- the page about it

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text("utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_the_snippets_of_the_page_run_as_written(
    live: Running, own_name: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    until(lambda: seat.score.trades, "a trade")
    until(lambda: live.get("/leaderboard")["items"], "a row on the board")
    source = SNIPPETS[number].replace("http://127.0.0.1:8000", live.url)
    exec(compile(source, "docs/client.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


def test_the_page_names_every_exception() -> None:
    named = set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE))
    assert named == {name for name in client.__all__ if name.endswith("Error")}
