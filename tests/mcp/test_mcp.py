"""The MCP server, tried with the official client over both transports."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from arena.people import accounts, tokens
from tests.arenas import BUYER, Running, bot_source, running, settings_for, until
from tests.conftest import TOKEN

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

ROOT = Path(__file__).resolve().parents[2]
EMA = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"
TOOLS = {
    "get_bot_contract", "check_code", "submit_strategy", "answer_question", "upload_bot", "wait_job", "get_bot",
    "explain_trade", "explain_rejection", "list_leaderboard", "compare_bots", "run_backtest", "verify_bot",
    "manage_bot", "list_seasons",
}  # fmt: skip


@asynccontextmanager
async def over_http(url: str, token: str = "", mode: str = "auto") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(url: str, token: str = "") -> AsyncIterator[Client]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ARENA_TOKEN": token}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "arena", "mcp", "--url", url], env=environment, cwd=str(ROOT)
    )  # fmt: skip
    async with Client(stdio_client(server)) as client:
        yield client


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(work)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    found = await client.call_tool(tool, arguments)
    assert not found.is_error, found.content
    answer = found.structured_content
    assert set(answer) == {"result", "page", "flags", "next_steps"}
    assert json.loads(found.content[0].text) == answer
    return answer


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    found = await client.call_tool(tool, arguments)
    assert found.is_error, found.content
    return found.content[0].text


@pytest.mark.system
@pytest.mark.parametrize("transport", [over_http, over_stdio], ids=["http", "stdio"])
def test_an_agent_takes_part_from_words_to_an_explained_trade(live: Running, own_name: str, transport: Any) -> None:
    async def play() -> None:
        async with transport(live.url) as client:
            contract = (await call(client, "get_bot_contract"))["result"]
            assert "on_tick(ctx, tick)" in contract["text"]
            assert "BTCUSDT" in contract["symbols"]
            made = await call(client, "submit_strategy", prompt=EMA, name=f"{own_name} words")
            name = made["result"]["submissions"][0]["id"]
            assert name in made["next_steps"][0]
            ended = await call(client, "wait_job", id=name, seconds=45)
            assert ended["result"]["status"] == "admitted"
            assert ended["page"] == f"{live.url}/bots/{ended['result']['bot_id']}"

            source = bot_source(BUYER, name=own_name)
            checked = await call(client, "check_code", source=source)
            assert checked["result"]["accepted"]
            assert checked["result"]["report"]["tapes"]
            bot = (await call(client, "upload_bot", source=source))["result"]["bot_id"]
            await anyio.to_thread.run_sync(until, lambda: live.get(f"/bots/{bot}/trades")["items"], "a trade")
            looked = await call(client, "get_bot", bot=own_name, source=True)
            assert looked["result"]["source"] == source
            assert looked["result"]["newest_trades"][0]["side"] == "BUY"
            why = await call(client, "explain_trade", bot=bot)
            assert "BUY" in json.dumps(why["result"]["order"])
            # A list as a JSON string, as some clients send it.
            both = json.dumps([own_name, ended["result"]["bot_id"]])
            compared = await call(client, "compare_bots", bots=both)
            assert {row["name"] for row in compared["result"]["bots"]} == {own_name, f"{own_name} words"}
            job = (await call(client, "verify_bot", bot=bot))["result"]["job_id"]
            proved = await call(client, "wait_job", id=job, seconds=45)
            assert proved["result"]["result"]["status"] == "reproduced"
            board = await call(client, "list_leaderboard", limit=200)
            assert board["result"]["season"] == 1
            assert (await call(client, "list_seasons"))["result"]["seasons"][0]["number"] == 1
            listed_tapes = await call(client, "run_backtest", bots=[bot])
            assert listed_tapes["flags"] == ["nothing was played: no tape is named"]
            changed = await call(client, "manage_bot", bot=bot, action="retire")
            assert changed["result"]["status"] == "retired"

            guide = await client.read_resource("arena://guide")
            assert guide.contents[0].text == contract["text"]
            rules = json.loads((await client.read_resource("arena://rules")).contents[0].text)
            assert rules["starting_cash"] == contract["starting_cash"]
            program = await client.read_resource(f"arena://bots/{bot}/source")
            assert program.contents[0].text == source

    run(play)


def test_tools_say_what_they_change(live: Running) -> None:
    async def play() -> Any:
        async with over_http(live.url) as client:
            return (await client.list_tools()).tools

    listed = {tool.name: tool for tool in run(play)}
    assert set(listed) == TOOLS
    assert all(tool.description for tool in listed.values())
    destroying = {name for name, tool in listed.items() if tool.annotations.destructive_hint}
    assert destroying == {"manage_bot", "answer_question"}
    reading = {name for name, tool in listed.items() if tool.annotations.read_only_hint}
    assert reading == TOOLS - destroying - {"submit_strategy", "upload_bot", "run_backtest", "verify_bot"}


@pytest.mark.system
@pytest.mark.parametrize("transport", [over_http, over_stdio], ids=["http", "stdio"])
def test_what_is_refused_is_said_in_sentences(live: Running, own_name: str, transport: Any) -> None:
    async def play() -> None:
        async with transport(live.url) as client:
            bad = "import os; os.sep\n" + bot_source(name=own_name)
            checked = await call(client, "check_code", source=bad)
            assert checked["flags"] == ["not accepted"]
            assert "line 1:" in await refused(client, "upload_bot", source=bad)
            assert "nobody" in await refused(client, "get_bot", bot="nobody")
            assert "no submission and no job" in await refused(client, "wait_job", id="none")
            assert "less than or equal to 45" in await refused(client, "wait_job", id="none", seconds=46)
            assert "not both" in await refused(client, "explain_trade", bot="x", trade=1, tick=1)
            assert "submission_id or a bot" in await refused(client, "explain_rejection")
            made = await call(client, "submit_strategy", prompt="please whistle a merry tune")
            name = made["result"]["submissions"][0]["id"]
            ended = await call(client, "wait_job", id=name, seconds=45)
            assert ended["flags"][0].startswith("rejected: ")
            assert "explain_rejection" in ended["next_steps"][0]
            why = await call(client, "explain_rejection", submission_id=name)
            assert "whistle" in why["result"]["reason"]

    run(play)


def test_a_rejected_order_is_explained(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source('ctx.submit_order("BTCUSDT", "SELL", 1)', name=own_name))
    until(lambda: seat.score.rejected and live.get(f"/bots/{seat.id}/orders")["items"], "a rejected order")

    async def play() -> dict[str, Any]:
        async with over_http(live.url) as client:
            return await call(client, "explain_rejection", bot=own_name)

    (counted,) = run(play)["result"]["of_the_newest_500_orders"]
    assert counted["orders"] >= 1
    assert counted["reason"]


def test_a_backtest_is_a_job(live: Running, own_name: str) -> None:
    live.admitted(bot_source(BUYER, name=own_name))
    rows = "".join(f"{1_790_000_000 + 60 * n},BTCUSDT,{100 + n}\n" for n in range(40))
    tape = live.client.post(
        "/api/v1/tapes", params={"name": "mcp.csv"}, content=f"time,symbol,price\n{rows}"
    ).json()["name"]  # fmt: skip

    async def play() -> None:
        async with over_http(live.url) as client:
            made = await call(client, "run_backtest", bots=json.dumps([own_name]), tape=tape)
            ended = await call(client, "wait_job", id=made["result"]["job_id"], seconds=45)
            assert ended["flags"] == []
            assert ended["result"]["result"]["ticks"] == 40
            assert ended["page"] == f"{live.url}/backtests/{made['result']['run']}"
            again = await call(client, "run_backtest", bots=[own_name], tape=tape)
            assert again["result"]["report"]["ticks"] == 40

    run(play)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_clients_of_both_protocols_are_served(live: Running, mode: str) -> None:
    async def play() -> None:
        async with over_http(live.url, mode=mode) as client:
            assert (await call(client, "list_seasons"))["result"]["seasons"]

    run(play)


# -- rights


@pytest.mark.system
def test_tools_ask_for_the_right_of_the_route_that_does_the_same(guarded: Running, own_name: str) -> None:
    async def play() -> None:
        source = bot_source(name=own_name)
        async with over_http(guarded.url) as client:
            assert (await call(client, "list_leaderboard"))["result"]["season"] == 1
            for tool, arguments in (
                ("upload_bot", {"source": source}), ("check_code", {"source": source}),
                ("submit_strategy", {"prompt": EMA}), ("manage_bot", {"bot": "x", "action": "retire"}),
                ("verify_bot", {"bot": "x"}), ("run_backtest", {"bots": ["x"], "tape": "y"}),
                ("answer_question", {"submission_id": "x", "choice": 1}),
            ):  # fmt: skip
                assert "send a token" in await refused(client, tool, **arguments), tool
        async with over_http(guarded.url, TOKEN) as client:
            bot = (await call(client, "upload_bot", source=source))["result"]["bot_id"]
            await anyio.to_thread.run_sync(until, lambda: guarded.seat(own_name).started, "it has started")
            assert (await call(client, "manage_bot", bot=bot, action="pause"))["result"]["status"] == "paused"

    run(play)
    headers = {"authorization": f"Bearer {TOKEN}"}
    rows = guarded.client.get("/api/v1/activity", headers=headers).json()["items"]
    deeds = {(row["action"], row["actor"]) for row in rows if row["detail"].get("by") == "mcp"}
    assert {("upload bot", "operator"), ("pause bot", "operator")} <= deeds


def test_the_board_answers_others_as_before(live: Running) -> None:
    """It remembers the words of questions: those of a tool are no other request's."""

    async def play() -> None:
        async with over_http(live.url) as client:
            await call(client, "list_leaderboard", limit=1, sort="name", order="desc")

    live.upload(bot_source(name="Board one"))
    live.upload(bot_source(name="Board two"))
    before = [row["bot_id"] for row in live.get("/leaderboard")["items"]]
    run(play)
    assert [row["bot_id"] for row in live.get("/leaderboard")["items"]][: len(before)] == before
    live.retire("Board one")
    live.retire("Board two")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_foreign_hosts_and_pages_are_kept_out(live: Running, headers: dict[str, str], status: int) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    assert live.client.post("/mcp", json=body, headers={**accept, **headers}).status_code == status


def test_the_page_names_every_tool() -> None:
    page = (ROOT / "docs" / "agents.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == TOOLS


def test_a_number_that_no_database_holds_is_refused_in_words(live: Running) -> None:
    arguments = {"name": "list_leaderboard", "arguments": {"season": 2**70}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
    answer = live.client.post("/mcp", json=body, headers={"accept": "application/json, text/event-stream"}).json()
    assert answer["result"]["isError"]
    assert "season" in answer["result"]["content"][0]["text"]


def test_only_posts_are_taken(live: Running) -> None:
    assert live.client.get("/mcp").status_code == 405
    assert live.client.delete("/mcp").status_code == 405


def test_agents_are_told_where_the_tools_are(live: Running) -> None:
    text = live.client.get("/llms.txt").text
    assert text.startswith("# Arena\n")
    assert f"{live.url}/mcp" in text
    assert live.client.get(f"{live.url}/api/v1/contract").json()["example"].startswith('"""')


@pytest.mark.system
def test_tools_know_owners_scopes_and_members(tmp_path: Path) -> None:
    """With accounts: another's bot stays untouched, a narrow token does little, and reads are the members'."""
    settings = settings_for(tmp_path, accounts=True, arena_token=TOKEN, reads="members")
    with running(settings, tmp_path) as arena:
        database = arena.arena.database

        def token(name: str, *scopes: str) -> str:
            account = accounts.find_user(database, name)
            return tokens.make_token(database, account, "test", list(scopes))[0]

        for name in ("ada", "bob"):
            accounts.add_user(database, name)
        every = ("read", "submit", "manage-own")

        async def play() -> None:
            async with over_http(arena.url, token("ada", *every)) as ada:
                uploaded = await call(ada, "upload_bot", source=bot_source(name="Adas"))
                bot = uploaded["result"]["bot_id"]
                assert uploaded["result"]["author"] == "ada"
                made = await call(ada, "submit_strategy", prompt=EMA)
                submission = made["result"]["submissions"][0]["id"]
            async with over_http(arena.url, token("bob", *every)) as bob:
                assert (await call(bob, "get_bot", bot=bot))["result"]["name"] == "Adas"
                assert "somebody else" in await refused(bob, "manage_bot", bot=bot, action="retire")
                said = await refused(bob, "answer_question", submission_id=submission, choice=1)
                assert "somebody else" in said
            async with over_http(arena.url, token("ada", "read")) as narrow:
                assert "scope 'submit'" in await refused(narrow, "upload_bot", source=bot_source(name="Narrow"))
                assert "scope 'manage-own'" in await refused(narrow, "manage_bot", bot=bot, action="pause")
            async with over_http(arena.url, token("ada", "submit")) as blind:
                for tool, arguments in (
                    ("list_leaderboard", {}), ("get_bot", {"bot": bot}), ("list_seasons", {}), ("get_bot_contract", {}),
                    ("compare_bots", {"bots": [bot, bot]}), ("wait_job", {"id": submission}),
                    ("explain_trade", {"bot": bot}), ("explain_rejection", {"submission_id": submission}),
                    ("run_backtest", {"bots": [bot]}),
                ):  # fmt: skip
                    assert "scope 'read'" in await refused(blind, tool, **arguments), tool
                with pytest.raises(MCPError):
                    await blind.read_resource(f"arena://bots/{bot}/source")

        run(play)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        wrong = arena.client.post("/mcp", json=body, headers={"authorization": "Bearer arena_wrong"})
        assert wrong.status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        rows = arena.client.get("/api/v1/activity", headers=headers).json()["items"]
        assert ("retire bot", "bob", 403) in {(row["action"], row["actor"], row["outcome"]) for row in rows}
