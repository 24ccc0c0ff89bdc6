"""Why a bot traded, and why it did not: over the API, from a running arena's own record."""

from __future__ import annotations

from typing import Any

import pytest

from arena.runtime.trace import _without_middle
from arena.submissions.behaviour.conditions import walk
from tests.arenas import Running, bot_source, until

SOURCE = """from collections import deque
NAME = {name!r}
SYMBOLS = ["BTCUSDT"]
LEVEL = 0.5
seen = deque(maxlen=3)


def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    seen.append(price)
    share = len(seen) / 3
    if share > LEVEL and ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
        ctx.log(f"bought at {{price}}")
"""


@pytest.fixture
def bought(live: Running, own_name: str) -> dict[str, Any]:
    """A bot's first trade."""
    live.admitted(SOURCE.format(name=own_name))
    return until(lambda: next(iter(live.get(f"/bots/{own_name}/trades")["items"]), None), "it has bought")


def test_a_trade_is_explained_by_its_line_conditions_values_and_what_it_brought(
    live: Running, bought: dict[str, Any]
) -> None:
    name = bought["bot_name"]
    live.ticks(2)
    found = live.get(f"/bots/{name}/trades/{bought['id']}/explain")
    lines = SOURCE.splitlines()
    assert found["code"] == 'ctx.submit_order("BTCUSDT", "BUY", 0.001)'
    assert lines[found["line"] - 1].strip() == found["code"]
    assert found["order"] == {"symbol": "BTCUSDT", "side": "BUY", "size": 0.001}
    assert found["tick"] == found["trade"]["tick"] - 1
    # It buys at the second price it is shown; where that answer came too late to count, at the third.
    share = found["locals"]["share"]
    assert share in {2 / 3, 1.0}
    last = found["conditions"][-1]
    assert (last["text"], last["held"]) == ("share > LEVEL and ctx.get_position('BTCUSDT') == 0", True)
    assert last["parts"][0] == {
        "text": "share > LEVEL", "held": True, "values": {"share": share, "LEVEL": 0.5}
    }  # fmt: skip
    assert last["parts"][1]["values"] == {"ctx.get_position('BTCUSDT')": 0.0}
    assert found["logs"] == [f"bought at {found['locals']['price']}"]
    at = next(row for row in found["prices"] if row["tick"] == found["tick"])
    assert at["prices"]["BTCUSDT"] == found["locals"]["price"]
    assert found["trade"]["price"] == bought["price"]
    later = found["without"]["later"][0]
    assert later["ticks_later"] == 1
    assert later["difference"] == pytest.approx((later["price"] - bought["price"]) * 0.001)
    assert f"line {found['line']} ordered BUY 0.001 BTCUSDT because" in found["sentence"]


def explained(live: Running, name: str, first: int) -> dict[str, Any]:
    """Explain the first tick from this one on at which the bot was asked; on a busy machine it misses some."""

    def found() -> dict[str, Any] | None:
        for tick in range(first, live.arena.engine.market.n + 1):
            answer = live.api("GET", f"/bots/{name}/ticks/{tick}/explain")
            if answer.status_code == 200:
                document: dict[str, Any] = answer.json()
                return document
        return None

    return until(found, f"{name} was asked")


def test_a_tick_without_an_order_says_which_condition_did_not_hold(live: Running, bought: dict[str, Any]) -> None:
    name = bought["bot_name"]
    filled = live.get(f"/bots/{name}/trades/{bought['id']}/explain")["trade"]["tick"]
    found = explained(live, name, filled + 1)
    assert found["order"] is None
    assert "`ctx.get_position('BTCUSDT') == 0` did not hold" in found["sentence"]
    assert "ctx.get_position('BTCUSDT') = 0.001" in found["sentence"]


def test_a_tick_that_raised_says_so(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source("x = {}\nctx.log(x['missing'])", name=own_name))
    found = explained(live, own_name, seat.entry.admitted_tick)
    assert "line 6 raised KeyError" in found["sentence"]


COUNTER = """NAME = "Counter"
SYMBOLS = ["BTCUSDT"]
seen, prices = 0, []
class Memory:
    bought = 0
memory = Memory()
def remember(price):
    global seen
    seen += 1
    prices.append(price)
def on_tick(ctx, tick):
    remember(ctx.get_price("BTCUSDT"))
    memory.bought = seen * 2
    if seen == 1 and memory.bought > 1:
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
"""


def test_what_a_bot_remembers_is_told_as_of_the_line_of_a_condition(live: Running, own_name: str) -> None:
    seat = live.admitted(COUNTER.replace("Counter", own_name))
    trade = until(lambda: next(iter(live.get(f"/bots/{seat.id}/trades")["items"]), None), "a trade")
    found = live.get(f"/bots/{seat.id}/trades/{trade['id']}/explain")
    parts = [(each["held"], each["values"]) for each in found["conditions"][0]["parts"]]
    assert parts == [(True, {"seen": 1}), (True, {"memory.bought": 2})]
    assert (found["globals"]["seen"], found["globals"]["prices"]["len"]) == (1, 1)
    assert "(seen = 1" in found["sentence"]


@pytest.mark.parametrize("address", ["trades/999999999/explain", "ticks/999999999/explain"])
def test_what_is_not_there_is_not_found(live: Running, own_name: str, address: str) -> None:
    live.admitted(bot_source(name=own_name))
    live.ticks(1)
    assert live.api("GET", f"/bots/{own_name}/{address}").status_code == 404


@pytest.mark.system
def test_a_bot_has_a_report_and_so_has_a_check(live: Running, own_name: str) -> None:
    source = bot_source("ctx.submit_order('BTCUSDT', 'BUY', 1e9)", name=own_name)
    checked = live.api("POST", "/bots/check", json={"source": source}).json()
    live.upload(source)
    report = live.get(f"/bots/{own_name}/behaviour")
    assert checked["accepted"]
    unmet = [each["check"] for each in report["findings"] if each["outcome"] == "not met"]
    assert "accepted" in unmet
    same = [(each["check"], each["outcome"]) for each in checked["report"]["findings"]]
    assert same == [(each["check"], each["outcome"]) for each in report["findings"]]
    assert live.get(f"/bots/{own_name}/behaviour") == report


def test_the_schema_of_claims_is_published(live: Running) -> None:
    assert set(live.get("/claims-schema")["properties"]) >= {"symbols", "sides", "indicators", "order_size"}


# -- from a trace alone ------------------------------------------------------------------------------------


def test_a_condition_over_several_lines_and_early_returns_are_told_by_the_next_line() -> None:
    source = "def on_tick(ctx, tick):\n    if (a >\n            b):\n        return\n    if not c:\n        x = 1\n"
    steps = [
        ["line", 2, "on_tick", {"a": 1, "b": 2, "c": 5}, {}], ["line", 3, "on_tick", {}, {}],
        ["line", 5, "on_tick", {}, {}],
        ["return", 5, "on_tick", None],
    ]  # fmt: skip
    did = walk(source, {"globals": {}, "after": {}, "steps": steps, "left_out": 0})
    assert [(each.line, each.held, each.leaves) for each in did.conditions] == [(2, False, True), (5, False, False)]


def test_what_changed_in_a_part_that_is_left_out_counts_behind_it() -> None:
    steps = [["line", n, "on_tick", {"x": n}, {"y": -n}] for n in range(9)]
    assert _without_middle(steps, 3)[:4] == [*steps[:3], ["line", 6, "on_tick", {"x": 6}, {"y": -6}]]
    quiet = [*steps[:6], *(["line", n, "on_tick", {}, {}] for n in range(6, 9))]
    assert _without_middle(quiet, 3)[3:] == [["line", 6, "on_tick", {"x": 5}, {"y": -5}], *quiet[7:]]
    gone = [*steps[:5], ["return", 5, "on_tick", None], *quiet[6:]]
    assert _without_middle(gone, 3)[3] == ["line", 6, "on_tick", {}, {"y": -4}]
