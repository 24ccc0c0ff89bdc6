"""One call to a model server: every way it can go wrong ends in a sentence."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from arena.errors import GenerationError
from arena.llm.client import MAX_COMPLETION, Completion, ModelServer
from arena.llm.fake import FakeModelServer, Scripted, in_order

KEY = "sk-secret-key-of-the-tests"
MESSAGES = [{"role": "system", "content": "be good"}, {"role": "user", "content": "a bot"}]
Ask = Callable[..., Completion]


def asked(
    *answers: Scripted, timeout: float = 20.0, retries: int = 0, **more: Any
) -> tuple[Completion, FakeModelServer]:
    with FakeModelServer(in_order(answers)) as server:
        client = ModelServer(server.base_url, KEY, timeout=timeout, retries=retries, **more)
        return client.complete("m1", MESSAGES), server


def complaint(*answers: Scripted, **more: Any) -> str:
    with pytest.raises(GenerationError) as caught:
        asked(*answers, **more)
    sentence = str(caught.value)
    assert KEY not in sentence
    assert "Traceback" not in sentence
    return sentence


def reply(**choice: Any) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m1", "choices": [choice]}


def test_an_answer_comes_with_its_model_tokens_and_time() -> None:
    answer, server = asked(Scripted("x = 1"))
    assert (answer.text, answer.model, answer.cut) == ("x = 1", "m1", False)
    assert (answer.prompt_tokens, answer.completion_tokens) == (100, 200)
    assert answer.seconds > 0
    (request,) = server.requests
    assert request["messages"] == MESSAGES
    assert request["model"] == "m1"
    assert request["max_tokens"] == 8000
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_the_name_of_the_length_limit_is_a_setting() -> None:
    _, server = asked(Scripted("x"), max_tokens_field="max_completion_tokens", max_tokens=77)
    assert server.requests[0]["max_completion_tokens"] == 77
    assert "max_tokens" not in server.requests[0]


def test_a_server_without_a_key_is_asked_all_the_same() -> None:
    with FakeModelServer(in_order([Scripted("x")])) as server:
        assert ModelServer(server.base_url, "").complete("m", MESSAGES).text == "x"


def test_a_refused_temperature_is_left_out() -> None:
    refusal = Scripted({"error": {"message": "temperature is not supported", "type": "x"}}, status=400)
    answer, server = asked(refusal, Scripted("x"))
    assert answer.text == "x"
    assert ["temperature" in request for request in server.requests] == [True, False]


@pytest.mark.parametrize(("reason", "cut"), [("stop", False), ("length", True), ("tool_calls", False)])
def test_an_answer_at_its_length_limit_is_known_as_cut(reason: str, *, cut: bool) -> None:
    answer, _ = asked(Scripted("x", finish_reason=reason))
    assert answer.cut is cut


def test_an_endless_answer_is_cut_at_a_limit() -> None:
    answer, _ = asked(Scripted("x" * (MAX_COMPLETION + 1)))
    assert (len(answer.text), answer.cut) == (MAX_COMPLETION, True)


STATUSES = {
    400: "HTTP 400", 401: "OPENAI_API_KEY", 402: "credits", 403: "OPENAI_API_KEY", 404: "OPENAI_MODEL",
    408: "HTTP 408", 409: "HTTP 409", 413: "HTTP 413", 422: "HTTP 422", 429: "slow down", 500: "HTTP 500",
    502: "HTTP 502", 503: "HTTP 503", 529: "HTTP 529",
}  # fmt: skip


@pytest.mark.parametrize(("status", "words"), STATUSES.items())
def test_every_status_has_its_sentence(status: int, words: str) -> None:
    body = {"error": {"message": f"boom {KEY}", "type": "t", "param": None, "code": "c"}}
    assert words in complaint(Scripted(body, status=status))


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("body", ["a bare string", '{"message": "top level"}', "", "<html>bad gateway</html>", "[1]"])
def test_errors_of_any_shape_are_told(status: int, body: str) -> None:
    assert f"HTTP {status}" in complaint(Scripted(body.encode(), status=status))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "upstream is gone", "code": 502}}, "upstream is gone"),
        ({"error": "just a text"}, "without a completion"),
        ({"choices": []}, "without a completion"),
        ({"choices": None}, "without a completion"),
        ({}, "without a completion"),
        (reply(message={"content": None}, finish_reason="stop"), "no text"),
        (reply(message={"content": " \n"}, finish_reason="stop"), "no text"),
        (reply(message={"content": [{"type": "text"}]}, finish_reason="stop"), "no text"),
        (reply(message={"content": None, "refusal": "rather not"}, finish_reason="stop"), "rather not"),
        (reply(message={"content": None, "reasoning_content": "hm"}, finish_reason="length"), "no text"),
        (reply(message={"content": "half"}, finish_reason="content_filter"), "content_filter"),
        (reply(message={"content": "half"}, finish_reason="error"), "error"),
        (reply(), ""), (reply(message=None), ""), (reply(message="text"), ""), ({"choices": [None]}, ""),
        ({"choices": "abc"}, ""), ({"choices": {"a": 1}}, ""), ({"choices": [1]}, ""), ({"choices": 7}, ""),
    ],
)  # fmt: skip
def test_a_good_status_with_a_bad_body_is_no_answer(body: dict[str, Any], words: str) -> None:
    assert words in complaint(Scripted(body))


@pytest.mark.parametrize("body", ["null", "[]", "3", '"text"', "{", "", "NaN", "[" * 100_000, '{"choices": [', "\xff"])
def test_a_body_that_is_no_completion_is_no_answer(body: str) -> None:
    assert complaint(Scripted(body.encode("latin-1")))


def test_a_page_in_place_of_an_api_is_known_as_one() -> None:
    page = Scripted(b"<html><body>Please log in</body></html>", content_type="text/html")
    assert "OPENAI_BASE_URL" in complaint(page)


@pytest.mark.parametrize(
    "usage", [None, "many", [], {"prompt_tokens": "12"}, {"prompt_tokens": 1e99}, {"prompt_tokens": -1}]
)
def test_usage_that_makes_no_sense_is_unknown(usage: Any) -> None:
    body = {**reply(message={"role": "assistant", "content": "x"}, finish_reason="stop"), "usage": usage}
    answer, _ = asked(Scripted(body))
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


def test_a_hostile_model_name_is_cleaned() -> None:
    body = {**reply(message={"content": "x"}, finish_reason="stop"), "model": "m\x1b[2J\u202e" + "x" * 999}
    answer, _ = asked(Scripted(body))
    assert answer.model.isprintable()
    assert len(answer.model) <= 200


def test_lone_surrogates_of_an_answer_are_replaced() -> None:
    answer, _ = asked(Scripted(json.dumps(reply(message={"content": "a\ud800b"}, finish_reason="stop")).encode()))
    assert answer.text == "a?b"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    answer, server = asked(Scripted({}, status=status, headers={"retry-after-ms": "1"}), Scripted("x"), retries=2)
    assert answer.text == "x"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_will_not_pass_is_tried_once(status: int) -> None:
    with FakeModelServer(in_order([Scripted({}, status=status)])) as server:
        with pytest.raises(GenerationError):
            ModelServer(server.base_url, KEY).complete("m", MESSAGES)
        assert len(server.requests) == 1


def test_silence_ends_at_the_time_limit() -> None:
    assert "within 0.3 s" in complaint(Scripted("x", hang=30.0), timeout=0.3)


def test_an_answer_that_drips_ends_at_the_time_limit() -> None:
    assert "within 0.5 s" in complaint(Scripted("x = 1" * 100, drip=0.02), timeout=0.5)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(GenerationError, match="cannot be reached"):
        ModelServer(f"http://127.0.0.1:{port}/v1", KEY, retries=0).complete("m", MESSAGES)


def test_a_connection_cut_in_the_middle_is_told() -> None:
    short = Scripted(b'{"choices"', headers={"content-length": "5000"})
    assert "cannot be reached" in complaint(short)


def test_a_base_url_of_nonsense_is_told() -> None:
    with pytest.raises(GenerationError):
        ModelServer("nonsense", KEY, retries=0).complete("m", MESSAGES)
