"""Repairs: two rounds at most, ended by the same answer; then one fresh sample; every attempt with cause and diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from arena.llm import faults
from arena.llm.fake import FakeModelServer, Scripted, in_order
from arena.submissions import prompt_text
from arena.submissions.writing import cause_in, diff_of
from tests.arenas import BUYER, Running, bot_source, running, settings_for


def answer(source: str, before: str = "Here it is:") -> Scripted:
    return Scripted(f"{before}\n\n```python\n{source}```\n")


def bad(number: int, name: str) -> Scripted:
    return answer(f"import os\nx = {number}\n{bot_source('os.getcwd()', name=name)}")


class Studio:
    """An arena whose model answers as each test tells it to."""

    def __init__(self, arena: Running, model: FakeModelServer) -> None:
        self.arena = arena
        self.model = model

    def submit(self, *answers: Scripted) -> dict[str, Any]:
        self.model.requests.clear()
        self.model.script = in_order(answers)
        return self.arena.submit("a bot")

    @property
    def temperatures(self) -> list[float]:
        return [request["temperature"] for request in self.model.requests]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("repairs")
    with FakeModelServer(in_order([Scripted("x")])) as model:
        settings = settings_for(folder, openai_base_url=model.base_url, openai_model="writer-1")
        with running(settings, folder) as arena:
            yield Studio(arena, model)


def test_after_two_repairs_a_fresh_sample_is_the_last(studio: Studio, own_name: str) -> None:
    done = studio.submit(*[bad(n, own_name) for n in range(9)])
    assert done["status"] == "rejected"
    assert [one["kind"] for one in done["attempts"]] == ["first", "repair", "repair", "fresh"]
    assert studio.temperatures == [0.2, 0.2, 0.2, 0.8]
    assert [one["temperature"] for one in done["attempts"]] == [None, None, None, 0.8]
    # The fresh sample knows nothing of what was wrong.
    assert studio.model.requests[3]["messages"] == studio.model.requests[0]["messages"]


@pytest.mark.system
def test_a_fresh_sample_may_be_admitted(studio: Studio, own_name: str) -> None:
    done = studio.submit(*[bad(n, own_name) for n in range(3)], answer(bot_source(BUYER, name=own_name)))
    assert (done["status"], done["attempts"][-1]["kind"]) == ("admitted", "fresh")


@pytest.mark.system
def test_the_same_answer_again_ends_the_repairs(studio: Studio, own_name: str) -> None:
    same = bad(1, own_name)
    done = studio.submit(same, same, answer(bot_source(BUYER, name=own_name)))
    assert done["status"] == "admitted"
    assert [one["kind"] for one in done["attempts"]] == ["first", "repair", "fresh"]


def test_an_answer_that_comes_back_to_an_earlier_one_ends_the_repairs_too(studio: Studio, own_name: str) -> None:
    wrapped = Scripted(str(bad(1, own_name).body).replace("Here it is:", "In other words:"))
    done = studio.submit(bad(1, own_name), bad(2, own_name), wrapped, bad(3, own_name))
    assert [one["kind"] for one in done["attempts"]] == ["first", "repair", "repair", "fresh"]
    done = studio.submit(bad(1, own_name), wrapped, bad(3, own_name), bad(4, own_name))
    assert [one["kind"] for one in done["attempts"]] == ["first", "repair", "fresh"]


def test_the_same_refusal_again_ends_the_repairs(studio: Studio) -> None:
    refusal = faults.message(content=None, refusal="I would rather not.")
    done = studio.submit(refusal, refusal, refusal, refusal)
    assert [one["kind"] for one in done["attempts"]] == ["first", "repair", "fresh"]


@pytest.mark.system
def test_a_model_that_takes_no_temperature_is_asked_afresh_without(studio: Studio, own_name: str) -> None:
    given = iter([bad(1, own_name), bad(1, own_name), answer(bot_source(BUYER, name=own_name))])

    def script(request: dict[str, Any], _number: int) -> Scripted:
        if "temperature" in request:
            return faults.error(400, "Unsupported value: 'temperature' does not support this with this model.")
        return next(given)

    studio.model.script = script
    done = studio.arena.submit("a bot", model="thinker-1")
    assert (done["status"], done["attempts"][-1]["kind"]) == ("admitted", "fresh")


def test_a_repair_is_asked_for_its_cause_and_kept_with_its_diff(studio: Studio, own_name: str) -> None:
    good = answer(bot_source(BUYER, name=own_name), "The module os is not allowed.\nSo it is gone.")
    done = studio.submit(bad(1, own_name), good)
    assert "First say" in studio.model.requests[1]["messages"][-1]["content"]
    first, second = done["attempts"]
    assert (first["cause"], first["diff"]) == (None, None)
    assert second["cause"] == "The module os is not allowed. So it is gone."
    lines = second["diff"].splitlines()
    assert "-import os" in lines
    assert "-    os.getcwd()" in lines
    assert '+        ctx.submit_order("BTCUSDT", "BUY", 0.001)' in lines


def test_each_call_is_accounted(studio: Studio, own_name: str) -> None:
    body = {"model": "w", "choices": [{"message": {"content": str(bad(1, own_name).body)}, "finish_reason": "stop"}]}
    done = studio.submit(Scripted(body), answer(bot_source(BUYER, name=own_name)))
    guessed, told = done["attempts"]
    assert (guessed["estimated"], told["estimated"]) == (True, False)
    sent = sum(len(message["content"]) for message in studio.model.requests[0]["messages"])
    assert guessed["usage"]["prompt_tokens"] == sent // 4
    assert guessed["usage"]["completion_tokens"] == -(-len(str(bad(1, own_name).body)) // 4)
    assert told["usage"] == {"prompt_tokens": 100, "completion_tokens": 200}
    # The environment's model has no price.
    assert told["cost_usd"] is None
    assert 0 < guessed["asked_at"] < told["asked_at"]


def test_a_finding_names_its_tape_and_tick() -> None:
    found = {"line": 7, "message": "It never sells.", "hint": "Sell.", "tape": "crash", "tick": 31}
    plain = {"line": 8, "message": "No.", "hint": "Yes.", "tape": None}
    (message,) = prompt_text.repair_messages("", [found, plain])
    assert "- line 7 (tape crash, tick 31): It never sells. Sell." in message["content"]
    assert "- line 8: No. Yes." in message["content"]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("It was os.\n```python\nx\n```", "It was os."),
        ("<think>hm ``` hm</think>It was os.\n~~~\nx\n~~~", "It was os."),
        ("```python\nx\n```\nIt was os.", None),
        ("It was os.", None),
        ("", None),
    ],
)
def test_the_cause_is_what_stands_before_the_code(said: str, cause: str | None) -> None:
    assert cause_in(said) == cause


def test_there_is_no_diff_without_two_sources() -> None:
    assert diff_of(None, "a") is None
    assert diff_of("a", None) is None
    assert diff_of("a\n", "a\n") is None
    assert diff_of("a\n", "b\n") == "--- before\n+++ after\n@@ -1 +1 @@\n-a\n+b"
