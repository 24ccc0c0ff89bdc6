"""What a model writes is held against the words: findings are repaired, samples compared, bots revised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena.client import Arena
from arena.llm.fake import FakeModelServer, Scripted, in_order
from tests.arenas import bot_source, running, settings_for, until
from tests.submissions.behaviour.conftest import Studio

WORDS = "buy BTC when the price crosses above its 20-tick SMA, sell when it crosses below, 0.01 BTC"


def cross(name: str, size: str = "0.01", sell: str = "price < mean") -> str:
    body = (
        "price = ctx.get_price('BTCUSDT')\nif price is None:\n    return\nprices.append(price)\n"
        "if len(prices) < 20:\n    return\nmean = sum(prices) / 20\nheld = ctx.get_position('BTCUSDT')\n"
        f"if price > mean and held == 0:\n    ctx.submit_order('BTCUSDT', 'BUY', {size})\n"
        f"elif {sell} and held > 0:\n    ctx.submit_order('BTCUSDT', 'SELL', held)"
    )
    return bot_source(body, name=name, top="from collections import deque\nprices = deque(maxlen=20)")


@pytest.mark.system
def test_a_hard_finding_goes_back_with_tape_and_tick_and_the_repair_is_admitted(studio: Studio, own_name: str) -> None:
    done = studio.submit(WORDS, cross(own_name, size="0.1"), cross(own_name))
    assert done["status"] == "admitted", done["reason"]
    first, second = done["attempts"]
    (violation,) = first["violations"]
    assert violation["rule"] == "behaviour-order-size"
    assert violation["tape"] == "swings"
    assert violation["tick"] > 0
    assert second["violations"] == []
    asked = studio.model.requests[1]["messages"][-1]["content"]
    assert "10 times what was said" in asked
    assert f"tick {violation['tick']}" in asked
    report = studio.arena.get(f"/bots/{done['bot_id']}/behaviour")
    assert report["said"]["order_size"] == {"kind": "units", "value": 0.01}
    assert [each for each in report["findings"] if each["outcome"] == "not met"] == []


@pytest.mark.system
def test_a_soft_finding_is_shown_and_admitted(studio: Studio, own_name: str) -> None:
    every = bot_source("ctx.submit_order('BTCUSDT', 'BUY', 1e-9)", name=own_name)
    done = studio.submit("buy a little all the time", every)
    assert done["status"] == "admitted"
    assert "nearly at every tick" in done["reason"]
    (unmet,) = [f for f in studio.arena.get(f"/bots/{own_name}/behaviour")["findings"] if f["outcome"] == "not met"]
    assert (unmet["check"], unmet["hard"]) == ("calm", False)


def test_a_handwritten_bot_is_never_refused_for_what_it_does(studio: Studio, own_name: str) -> None:
    assert studio.arena.upload(bot_source("pass", name=own_name))["name"] == own_name
    report = studio.arena.get(f"/bots/{own_name}/behaviour")
    assert ("trades", "not met") in [(each["check"], each["outcome"]) for each in report["findings"]]


def group(studio: Studio, prompt: str, *sources: str, **more: Any) -> list[dict[str, Any]]:
    studio.script(*sources)
    answer = studio.arena.api("POST", "/strategies", json={"prompt": prompt, "samples": len(sources), **more})
    assert answer.status_code == 202, answer.text
    return [studio.arena.ended(item["id"]) for item in answer.json()["items"]]


def question(studio: Studio, submission: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = until(
        lambda: (
            (a := studio.arena.api("GET", f"/strategies/{submission['id']}/question")).status_code == 200 and a.json()
        ),
        "the samples have been compared",
    )
    return found


def statuses(studio: Studio, done: list[dict[str, Any]]) -> list[str]:
    return sorted(studio.arena.get(f"/bots/{each['bot_id']}")["status"] == "retired" for each in done)


@pytest.mark.system
def test_samples_that_do_the_same_leave_one(studio: Studio, own_name: str) -> None:
    done = group(studio, "a cross", cross(own_name), cross(own_name) + "# the same\n")
    found = question(studio, done[0])
    assert (found["question"], found["choices"], found["chosen"]) == (None, [], 1)
    assert statuses(studio, done) == [False, True]


@pytest.mark.system
def test_samples_that_differ_are_told_apart_by_a_question_that_can_be_answered(studio: Studio, own_name: str) -> None:
    slow = cross(own_name, sell="price < mean * 0.99")
    done = group(studio, "a cross", cross(own_name), slow)
    asked = question(studio, done[0])
    assert "which is meant?" in asked["question"]
    words = [choice["words"] for choice in asked["choices"]]
    assert any(w.startswith("sell") for w in words)
    assert any("wait here, until `price < mean * 0.99" in w for w in words)
    assert statuses(studio, done) == [False, False]
    wrong = studio.arena.api("POST", f"/strategies/{done[0]['id']}/answer", json={"choice": 3})
    assert (wrong.status_code, "from 1 to 2" in wrong.text) == (422, True)
    answered = studio.arena.api("POST", f"/strategies/{done[1]['id']}/answer", json={"choice": 2})
    assert answered.json()["chosen"] == 2
    kept = asked["choices"][1]["bots"][0]
    lives = {each["bot_id"]: studio.arena.get(f"/bots/{each['bot_id']}")["status"] for each in done}
    assert lives.pop(kept) != "retired"
    assert list(lives.values()) == ["retired"]
    assert studio.arena.api("POST", f"/strategies/{done[0]['id']}/answer", json={"choice": 1}).status_code == 409


@pytest.mark.system
def test_a_question_is_answered_by_the_client(studio: Studio, own_name: str) -> None:
    studio.script(cross(own_name), cross(own_name, sell="price < mean * 0.99"))
    with Arena(studio.arena.url) as arena:
        made = [one.wait(60) for one in arena.submit_several("a cross", samples=2)]
        question(studio, dict(made[0].document))
        assert len(made[0].question()["choices"]) == 2
        assert made[1].answer(1)["chosen"] == 1
        assert [one.bot()["status"] == "retired" for one in made].count(True) == 1


@pytest.mark.system
@pytest.mark.parametrize("transport", ["over_http", "over_stdio"])
def test_a_question_is_answered_by_an_agent(studio: Studio, own_name: str, transport: str) -> None:
    agents = pytest.importorskip("tests.mcp.test_mcp", reason="the extra 'mcp' is not installed")
    done = group(studio, "a cross", cross(own_name), cross(own_name, sell="price < mean * 0.99"))
    asked = question(studio, done[0])

    async def play() -> None:
        async with getattr(agents, transport)(studio.arena.url) as client:
            shown = await agents.call(client, "answer_question", submission_id=done[0]["id"])
            assert (shown["result"]["question"], shown["flags"]) == (asked["question"], ["not answered yet"])
            assert "from 1 to 2" in await agents.refused(
                client, "answer_question", submission_id=done[0]["id"], choice=3
            )
            answered = await agents.call(client, "answer_question", submission_id=done[0]["id"], choice=2)
            assert (answered["result"]["chosen"], answered["flags"]) == (2, [])

    agents.run(play)
    assert statuses(studio, done) == [False, True]


@pytest.mark.system
def test_a_question_that_nobody_answers_is_decided_for_what_most_samples_do(tmp_path: Path, own_name: str) -> None:
    slow = cross(own_name, sell="price < mean * 0.99")
    with FakeModelServer(in_order([Scripted("x")])) as model:
        settings = settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m", question_minutes=0.001)
        with running(settings, tmp_path) as arena:
            other = Studio(arena, model)
            done = group(other, "a cross", slow, cross(own_name), cross(own_name) + "# the same\n")
            found = until(lambda: (a := question(other, done[0]))["chosen"] and a, "the question is decided", 60)
            assert found["chosen"] == 1
            assert [len(choice["bots"]) for choice in found["choices"]] == [2, 1]
            assert "Nobody answered within 0.001 minutes" in found["decided"]
            assert statuses(other, done) == [False, True, True]
            late = arena.api("POST", f"/strategies/{done[0]['id']}/answer", json={"choice": 2})
            assert late.status_code == 409


@pytest.mark.system
def test_a_question_waits_for_its_time(studio: Studio, own_name: str) -> None:
    done = group(studio, "a cross", cross(own_name), cross(own_name, sell="price < mean * 0.98"))
    asked = question(studio, done[0])
    submitted = max(each["updated_at"] for each in done)
    assert asked["chosen"] is None
    assert asked["answer_by"] - submitted == pytest.approx(3600, abs=120)


@pytest.mark.system
def test_keep_all_keeps_all(studio: Studio, own_name: str) -> None:
    done = group(studio, "a cross", cross(own_name), cross(own_name) + "# the same\n", keep="all")
    assert studio.arena.api("GET", f"/strategies/{done[0]['id']}/question").status_code == 404
    assert statuses(studio, done) == [False, False]


@pytest.mark.system
def test_a_revision_is_a_new_entrant_with_its_lineage(studio: Studio, own_name: str) -> None:
    first = studio.submit(WORDS, cross(own_name))
    new = cross(own_name, size="0.02")
    studio.script(new)
    asked = studio.arena.api(
        "POST", f"/bots/{own_name}/revise", json={"words": "buy ```twice``` as much", "author": "Bo"}
    )
    assert asked.status_code == 202, asked.text
    done = studio.arena.ended(asked.json()["id"])
    assert done["status"] == "admitted", done["reason"]
    told = studio.model.requests[0]["messages"][-1]["content"]
    assert cross(own_name) in told
    assert "buy ```twice``` as much" in told
    assert "\n````\n" in told
    (one, two) = studio.arena.get(f"/bots/{first['bot_id']}/lineage")["items"]
    assert (one["parent_id"], one["diff"]) == (None, None)
    assert (two["parent_id"], two["asked_by"], two["words"]) == (first["bot_id"], "Bo", "buy ```twice``` as much")
    assert "-        ctx.submit_order('BTCUSDT', 'BUY', 0.01)" in two["diff"]
    assert studio.arena.get(f"/bots/{done['bot_id']}")["equity"] is not None


@pytest.mark.system
def test_a_revision_that_changes_nothing_is_asked_for_again(studio: Studio, own_name: str) -> None:
    studio.submit(WORDS, cross(own_name))
    studio.script(cross(own_name), cross(own_name, size="0.02"))
    asked = studio.arena.api("POST", f"/bots/{own_name}/revise", json={"words": "twice as much"})
    done = studio.arena.ended(asked.json()["id"])
    assert done["status"] == "admitted", done["reason"]
    assert [[each["rule"] for each in attempt["violations"]] for attempt in done["attempts"]] == [["unchanged"], []]


def test_blanks_are_no_words(studio: Studio) -> None:
    blank = studio.arena.api("POST", "/strategies", json={"prompt": " \n\t"})
    assert (blank.status_code, "'prompt' holds nothing but blanks." in blank.text) == (422, True)


@pytest.mark.system
def test_a_bot_of_an_earlier_season_is_revised_with_its_own_results(tmp_path: Path, own_name: str) -> None:
    with (
        FakeModelServer(in_order([Scripted("x")])) as model,
        running(settings_for(tmp_path, openai_base_url=model.base_url, openai_model="m"), tmp_path) as arena,
    ):
        other = Studio(arena, model)
        first = other.submit(WORDS, cross(own_name))
        assert arena.api("POST", "/seasons", json={}).json()["season"] == 2
        other.script(cross(own_name, size="0.02"))
        asked = arena.api("POST", f"/bots/{first['bot_id']}/revise?season=1", json={"words": "twice as much"})
        done = arena.ended(asked.json()["id"])
        assert done["status"] == "admitted", done["reason"]
        assert cross(own_name) in model.requests[-1]["messages"][-1]["content"]
        assert arena.get(f"/bots/{done['bot_id']}")["name"].startswith(own_name)


@pytest.mark.system
def test_a_bot_that_does_nothing_it_should_is_not_admitted_when_repairs_end(studio: Studio, own_name: str) -> None:
    never = cross(own_name).replace("price > mean", "price > mean * 2")
    done = studio.submit(WORDS, never, never + "# again\n", never + "# and again\n", never + "# fresh\n")
    assert done["status"] == "rejected"
    assert "never places an order" in done["reason"]
