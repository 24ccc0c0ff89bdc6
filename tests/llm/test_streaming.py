"""Answers while they come: told piece by piece without the key, read whole, broken off where somebody cancels."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from arena.errors import GenerationError
from arena.llm import faults
from arena.llm.client import MASK, CallCancelledError, Cancellation, ModelServer
from arena.llm.fake import FakeModelServer, Script, Scripted, in_order
from tests.arenas import PATIENCE, until

KEY = "sk-secret-key-of-the-tests"
MESSAGES = [{"role": "user", "content": "a bot"}]
TEXT = "Here it is:\n\n```python\nNAME = 'x'\ndef on_tick(ctx, tick): pass\n```\n"


def test_a_streamed_answer_is_told_as_it_comes_and_read_whole() -> None:
    told: list[str] = []
    with FakeModelServer(in_order([Scripted(TEXT, pace=0.0)])) as server:
        answer = ModelServer(server.base_url, KEY).complete("m", MESSAGES, on_text=told.append)
        assert server.requests[0]["stream"] is True
        assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert answer.text == "".join(told) == TEXT
    assert (answer.prompt_tokens, answer.completion_tokens) == (100, 200)


def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    told: list[str] = []
    with FakeModelServer(in_order([Scripted(TEXT)])) as server:
        assert ModelServer(server.base_url, KEY).complete("m", MESSAGES, on_text=told.append).text == TEXT
    assert told == []


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("Unrecognized request argument supplied: stream_options", [True, True]),
        ("extra fields not permitted: include_usage", [True, True]),
        ("Streaming is not supported for this model", [True, False]),
        ("'stream' must be false", [True, False]),
    ],
)
def test_a_server_that_refuses_streaming_is_asked_without(words: str, asked: list[bool]) -> None:
    script: Script = in_order([faults.error(400, words), Scripted(TEXT)])
    with FakeModelServer(script) as server:
        client = ModelServer(server.base_url, KEY, retries=0)
        assert client.complete("m", MESSAGES).text == TEXT
        assert ["stream" in request for request in server.requests] == asked
        assert "stream_options" not in server.requests[1]
        client.complete("m", MESSAGES)
        assert "stream_options" not in server.requests[2]


def test_an_upstream_error_is_no_word_about_streaming() -> None:
    script = in_order([faults.error(400, "bad request to upstream"), Scripted(TEXT)])
    with FakeModelServer(script) as server:
        with pytest.raises(GenerationError, match="upstream"):
            ModelServer(server.base_url, KEY, retries=0).complete("m", MESSAGES)
        assert len(server.requests) == 1


@pytest.mark.parametrize("size", [1, 3, 16, 40])
def test_the_key_is_never_told_however_its_letters_are_cut(size: int) -> None:
    text = f"x = '{KEY}'  # {KEY[:-3]} and {KEY.upper()} end"
    pieces = [{"choices": [{"index": 0, "delta": {"content": text[n : n + size]}}]} for n in range(0, len(text), size)]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    told: list[str] = []
    with FakeModelServer(in_order([faults.events_of([*pieces, end])])) as server:
        answer = ModelServer(server.base_url, KEY).complete("m", MESSAGES, on_text=told.append)
    assert "".join(told) == answer.text == f"x = '{MASK}'  # {KEY[:-3]} and {MASK} end"
    assert answer.leaked


def test_a_stream_that_stays_open_behind_its_end_is_not_waited_for() -> None:
    body = faults.events(TEXT).body
    assert isinstance(body, bytes)
    held = Scripted(body, content_type="text/event-stream", headers={"content-length": str(len(body) + 9)})
    with FakeModelServer(in_order([held])) as server:
        assert ModelServer(server.base_url, KEY, timeout=30).complete("m", MESSAGES).text == TEXT


@pytest.mark.parametrize("answer", [Scripted(TEXT, hang=60.0), Scripted(TEXT * 50, pace=0.2)], ids=["silent", "midway"])
def test_cancelling_closes_the_connection(answer: Scripted) -> None:
    cancellation, begun = Cancellation(), threading.Event()
    with FakeModelServer(in_order([answer])) as server, ThreadPoolExecutor(1) as pool:
        client = ModelServer(server.base_url, KEY, timeout=100)
        call = pool.submit(
            client.complete, "m", MESSAGES, on_text=lambda _: begun.set(), cancellation=cancellation
        )  # fmt: skip
        if answer.pace is None:
            until(lambda: server.requests, "it is asked")
        else:
            assert begun.wait(PATIENCE)
        cancellation.cancel()
        with pytest.raises(CallCancelledError):
            call.result(timeout=PATIENCE)
        until(lambda: server.hung_up == [0], "the server sees the end of the connection")


def test_what_is_cancelled_before_it_begins_asks_nobody() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with FakeModelServer(in_order([Scripted(TEXT)])) as server:
        with pytest.raises(CallCancelledError):
            ModelServer(server.base_url, KEY).complete("m", MESSAGES, cancellation=cancellation)
        assert not server.requests


def test_a_model_that_is_being_loaded_is_waited_for() -> None:
    loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    answers = [Scripted(loading, status=503, headers={"retry-after-ms": "1"})] * 5
    with FakeModelServer(in_order([*answers, Scripted(TEXT)])) as server:
        assert ModelServer(server.base_url, KEY, retries=0).complete("m", MESSAGES).text == TEXT
        assert len(server.requests) == 6


def test_parameters_and_temperature_go_along() -> None:
    with FakeModelServer(in_order([Scripted(TEXT)])) as server:
        client = ModelServer(server.base_url, "", temperature=None, parameters={"top_p": 0.5, "seed": 7}, stream=False)
        client.complete("m", MESSAGES)
        client.complete("m", MESSAGES, temperature=0.8)
        first, second = server.requests
    assert (first["top_p"], first["seed"]) == (0.5, 7)
    assert "temperature" not in first
    assert "stream" not in first
    assert second["temperature"] == 0.8


def test_a_known_context_bounds_the_answer_and_the_question() -> None:
    with FakeModelServer(in_order([Scripted(TEXT)])) as server:
        client = ModelServer(server.base_url, KEY, context=1000)
        client.complete("m", [{"role": "user", "content": "w" * 300}])
        assert server.requests[0]["max_tokens"] == 1000 - 100 - 16
        with pytest.raises(GenerationError, match="1000 tokens"):
            client.complete("m", [{"role": "user", "content": "w" * 3000}])
        assert len(server.requests) == 1
