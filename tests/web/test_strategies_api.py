"""Strategy prompts over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.arenas import Running

EMA = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"


def test_a_prompt_is_taken_at_once_and_becomes_a_bot(live: Running, own_name: str) -> None:
    answer = live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name, "author": "Ann"})
    assert answer.status_code == 202
    taken = answer.json()
    assert answer.headers["location"] == f"/api/v1/strategies/{taken['id']}"
    assert uuid.UUID(taken["id"]).version == 7
    assert (taken["prompt"], taken["author"], taken["attempts"]) == (EMA, "Ann", [])
    done = live.ended(taken["id"])
    assert done["status"] == "admitted"
    trial = done["trial"]
    assert len(trial["times"]) == len(trial["equity"]) == len(trial["prices"]) > 1
    assert trial["return_pct"] == pytest.approx((trial["equity"][-1] / trial["equity"][0] - 1) * 100, abs=1.0)
    assert trial["symbol"] in {"BTCUSDT", "ETHUSDT"}
    bot = live.get(f"/bots/{done['bot_id']}")
    assert (bot["name"], bot["author"], bot["origin"], bot["model"]) == (
        own_name,
        "Ann",
        "generated",
        "template",
    )
    assert (bot["prompt"], bot["submission_id"]) == (EMA, taken["id"])
    (attempt,) = done["attempts"]
    assert set(attempt) >= {"n", "model", "completion", "source", "violations", "usage", "seconds"}
    assert (attempt["n"], attempt["model"], attempt["violations"]) == (1, "template", [])
    assert live.api("GET", f"/bots/{done['bot_id']}/source").text == attempt["source"]


def test_a_prompt_that_is_not_understood_is_rejected_with_what_would_be(live: Running) -> None:
    done = live.submit("please whistle a merry tune")
    assert done["status"] == "rejected"
    assert "whistle" in done["reason"]
    assert done["bot_id"] is None


def test_an_idempotency_key_is_used_once(live: Running, own_name: str) -> None:
    key = {"idempotency-key": own_name}
    first = live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name}, headers=key)
    again = live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == again.headers["location"]
    other = live.api("POST", "/strategies", json={"prompt": EMA, "name": own_name})
    assert other.json()["id"] != first.json()["id"]


def test_samples_are_one_submission_each_and_one_group(live: Running, own_name: str) -> None:
    body = {"prompt": EMA, "name": own_name, "samples": 3}
    key = {"idempotency-key": f"{own_name} group"}
    answer = live.api("POST", "/strategies", json=body, headers=key)
    assert answer.status_code == 202
    group = answer.json()
    assert len({item["id"] for item in group["items"]}) == 3
    assert {item["group_id"] for item in group["items"]} == {group["group_id"]}
    again = live.api("POST", "/strategies", json=body, headers=key).json()
    assert [item["id"] for item in again["items"]] == [item["id"] for item in group["items"]]
    assert again["group_id"] == group["group_id"]
    assert {live.ended(item["id"])["status"] for item in group["items"]} == {"admitted"}


def test_a_model_where_none_is_configured_fails_and_says_so(live: Running, own_name: str) -> None:
    done = live.submit(EMA, name=own_name, model="gpt-none")
    assert done["status"] == "failed"
    assert "OPENAI_MODEL" in done["reason"]
    assert done["bot_id"] is None


def test_generated_bots_of_one_name_are_numbered(live: Running, own_name: str) -> None:
    other = EMA.replace("20-tick", "30-tick")
    third = EMA.replace("20-tick", "40-tick")
    bots = [live.submit(prompt, name=own_name)["bot_id"] for prompt in (EMA, other, third)]
    names = [live.get(f"/bots/{bot}")["name"] for bot in bots]
    assert names == [own_name, f"{own_name} #2", f"{own_name} #3"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"prompt": ""}, {"prompt": "x" * 20_001}, {"prompt": 1}, {"prompt": "x", "samples": 0},
        {"prompt": "x", "samples": 11}, {"prompt": "x", "more": 1}, {"prompt": "x", "models": ["m"] * 11},
        {"prompt": "x", "name": "n" * 81}, {"prompt": "x", "models": [""]},
        {"prompt": "x", "models": ["m" * 201]},
    ],
)  # fmt: skip
def test_a_wrong_request_is_a_problem(live: Running, body: dict[str, Any]) -> None:
    answer = live.api("POST", "/strategies", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_submission_is_not_found(live: Running) -> None:
    answer = live.api("GET", "/strategies/nothing")
    assert answer.status_code == 404
    assert "nothing" in answer.json()["detail"]


def test_a_prompt_of_strange_characters_is_stored_visibly(live: Running) -> None:
    done = live.submit("hum \x00 \x1b[2J \u202e a tune")
    assert done["status"] == "rejected"
    assert "\x00" not in done["prompt"]
    assert done["reason"].isprintable()


def test_a_model_name_of_strange_characters_is_cleaned(live: Running) -> None:
    answer = live.api("POST", "/strategies", json={"prompt": EMA, "model": "m\x1b[2J\u202e\x00"})
    assert answer.json()["model"].isprintable()
