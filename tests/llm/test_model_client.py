"""One call to a model server: every way it can go wrong ends in a sentence."""

from __future__ import annotations

import base64
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from arena.errors import GenerationError
from arena.llm import faults
from arena.llm.client import MASK, MAX_COMPLETION, Completion, ContextTooSmallError, ModelServer
from arena.llm.exchange import MAX_ANSWER
from arena.llm.fake import FakeModelServer, Scripted, in_order
from tests.arenas import PATIENCE, until

KEY = "sk-secret-key-of-the-tests"
MESSAGES = [{"role": "system", "content": "be good"}, {"role": "user", "content": "a bot"}]
Ask = Callable[..., Completion]


def asked(
    *answers: Scripted, timeout: float = PATIENCE, retries: int = 0, **more: Any
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
        ({"error": "just a text"}, "just a text"),
        ({"detail": "no worker is free"}, "no worker is free"),
        ({"detail": [{"loc": ["body", "model"], "msg": "field required"}]}, "body.model: field required"),
        ({"message": "top level"}, "top level"),
        ({"choices": []}, "without a completion"),
        ({"choices": None}, "without a completion"),
        ({}, "without a completion"),
        (reply(message={"content": "half"}, finish_reason="error"), "error"),
        ({"choices": [None]}, "strange shape"),
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
    assert "broke off after 10 bytes" in complaint(short)


@pytest.mark.parametrize(
    "url",
    ["nonsense", "ftp://x/v1", "http://", "http://[::1", "\x00", "http://127.0.0.1:99999/v1", "https://127.0.0.1:1/v1"],
)
def test_a_base_url_of_nonsense_is_told(url: str) -> None:
    with pytest.raises(GenerationError, match=r"OPENAI_BASE_URL|cannot be reached"):
        ModelServer(url, KEY, retries=0).complete("m", MESSAGES)


def test_the_password_of_an_address_that_is_none_is_not_shown() -> None:
    with pytest.raises(GenerationError, match=r"no web address: http://\*\*\*@127") as caught:
        ModelServer("http://me:secret@127.0.0.1:99999/v1", KEY, retries=0).complete("m", MESSAGES)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["sk-\n1234567890", "schl\u00fcssel-123456", " sk-1234567890", "sk-1234567890 ", "sk\x00-12345"]
)
def test_a_key_that_no_header_can_hold_is_told_and_not_shown(key: str) -> None:
    with FakeModelServer(in_order([Scripted("x")])) as server:
        with pytest.raises(GenerationError, match="cannot be sent") as caught:
            ModelServer(server.base_url, key, retries=0).complete("m", MESSAGES)
        assert not server.requests
    assert key.strip() not in str(caught.value)


RAW = {
    "SSH-2.0-OpenSSH_9.0\r\n": "broke off after 0 bytes",
    "HTTP/1.1 abc OK\r\n\r\n": "broke off after 0 bytes",
    "HTTP/1.1 204 No Content\r\n\r\n": "HTTP 204",
    "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}": "broke off after 0 bytes",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc": "broke off after 0 bytes",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nabc": "broke off after 3 bytes",
    f"HTTP/1.1 200 OK\r\nx: {'a' * 300_000}\r\n\r\n": "broke off after 0 bytes",
    "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n": "does not say where",
    "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n": "another host (file://)",
}


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_what_is_no_http_ends_in_a_sentence(raw: str) -> None:
    def answers() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(raw.encode())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answers, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with pytest.raises(GenerationError) as caught:
            ModelServer(url, KEY, retries=0).complete("m", MESSAGES)
        thread.join(PATIENCE)
    assert RAW[raw] in str(caught.value)


# -- size and time


@pytest.mark.system
def test_an_answer_that_unpacks_to_too_much_is_refused_in_little_memory() -> None:
    bomb = faults.bomb(512 << 20)
    assert len(bomb.body) < MAX_ANSWER
    tracemalloc.start()
    try:
        assert f"larger than {MAX_ANSWER >> 20} MiB when unpacked" in complaint(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_ANSWER
    finally:
        tracemalloc.stop()


def test_a_packed_answer_is_read() -> None:
    assert asked(faults.packed("x = 1"))[0].text == "x = 1"


@pytest.mark.parametrize(
    ("encoding", "words"), [("br", "nobody asked for"), ("gzip, gzip", "nobody asked for"), ("gzip", "is broken")]
)
def test_a_packing_that_cannot_be_undone_is_told(encoding: str, words: str) -> None:
    assert words in complaint(Scripted("x", headers={"content-encoding": encoding}))


def test_headers_that_drip_end_at_the_time_limit() -> None:
    assert "within 0.5 s" in complaint(Scripted("x", head_drip=0.1), timeout=0.5)


def test_a_server_that_never_answers_is_waited_for_once() -> None:
    with FakeModelServer(in_order([Scripted("x", hang=30.0)])) as server:
        with pytest.raises(GenerationError, match=r"within 0\.3 s"):
            ModelServer(server.base_url, KEY, timeout=0.3, retries=2).complete("m", MESSAGES)
        # The server's thread may read the one request when the client has given up already.
        until(lambda: server.requests, "it was asked")
        assert len(server.requests) == 1


def test_retries_stay_within_the_deadline() -> None:
    slow = Scripted({}, status=503, headers={"retry-after": "0.2"})
    with FakeModelServer(in_order([slow])) as server:
        with pytest.raises(GenerationError, match=r"within 0\.5 s"):
            ModelServer(server.base_url, KEY, timeout=0.5, retries=1000).complete("m", MESSAGES)
        until(lambda: server.requests, "it was asked")
        assert len(server.requests) <= 4


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    words = complaint(faults.error(429, "slow down, please"), timeout=5.0, retries=2)
    assert "slow down, please" in words
    far = Scripted({"error": "busy"}, status=429, headers={"retry-after": "3600"})
    assert "busy" in complaint(far, timeout=5.0, retries=2)


@pytest.mark.parametrize("after", [0, 1, 40])
def test_a_body_that_breaks_off_says_after_how_many_bytes(after: int) -> None:
    assert f"broke off after {after} bytes" in complaint(Scripted("x = 1", cut=after))


def test_a_broken_connection_is_tried_again() -> None:
    answer, server = asked(Scripted("x = 1", cut=10), Scripted("x = 2"), retries=1)
    assert (answer.text, len(server.requests)) == ("x = 2", 2)


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_never_gets_the_prompt(status: int) -> None:
    with FakeModelServer(in_order([Scripted("x")])) as other:
        words = complaint(faults.redirect(f"{other.base_url}/chat/completions", status))
        assert "redirects to another host" in words
        assert not other.requests


def test_the_same_host_is_followed_once() -> None:
    answer, server = asked(faults.redirect("/elsewhere"), Scripted("x = 1"))
    assert answer.text == "x = 1"
    assert server.paths == ["/v1/chat/completions", "/elsewhere"]
    assert server.requests[0] == server.requests[1]
    assert "more than once" in complaint(faults.redirect("/elsewhere"))


# -- parameters


@pytest.mark.parametrize(
    "refused", [("max_tokens",), ("temperature",), ("system",), ("4096",), ("max_tokens", "temperature", "system")]
)
def test_what_a_model_refuses_is_left_out_and_remembered(refused: tuple[str, ...]) -> None:
    with FakeModelServer(faults.picky(Scripted("x"), *refused)) as server:
        client = ModelServer(server.base_url, KEY, retries=0)
        assert client.complete("m1", MESSAGES).text == "x"
        first = len(server.requests)
        assert first == 1 + len(refused)
        assert client.complete("m1", MESSAGES).text == "x"
        assert len(server.requests) == first + 1
        if "system" in refused:
            (only,) = server.requests[-1]["messages"]
            assert only["role"] == "user"
            assert "be good" in only["content"]
            assert "a bot" in only["content"]
        if "4096" in refused:
            assert server.requests[-1]["max_tokens"] == 4096
        # Another model is asked as usual.
        assert client.complete("m2", MESSAGES).text == "x"
        assert server.requests[first + 1]["model"] == "m2"
        assert server.requests[first + 1]["temperature"] == 0.2


def test_an_answer_that_leaves_no_room_in_the_context_is_made_shorter() -> None:
    with FakeModelServer(faults.small_context(4096, [Scripted("x")])) as server:
        assert ModelServer(server.base_url, KEY, retries=0).complete("m", MESSAGES).text == "x"
        assert 256 <= server.requests[-1]["max_tokens"] < 4096


def test_a_conversation_beyond_the_context_is_told_as_that() -> None:
    long = [{"role": "user", "content": "word " * 10_000}]
    with (
        FakeModelServer(faults.small_context(4096, [Scripted("x")])) as server,
        pytest.raises(ContextTooSmallError, match="4096 tokens"),
    ):
        ModelServer(server.base_url, KEY, retries=0).complete("m", long)


def test_more_room_is_asked_for_up_to_its_limit() -> None:
    with FakeModelServer(in_order([Scripted("x")])) as server:
        client = ModelServer(server.base_url, KEY, max_tokens=1000, max_tokens_limit=3000)
        for room in (1, 2, 4):
            client.complete("m", MESSAGES, room=room)
        assert [request["max_tokens"] for request in server.requests] == [1000, 2000, 3000]


# -- shapes

TEXT = "```python\nNAME = 'x'\ndef on_tick(ctx, tick): pass\n```"


@pytest.mark.parametrize(
    "shape",
    [
        faults.events, faults.in_parts, faults.in_reasoning, faults.in_tool_call, faults.in_second_choice,
        lambda text: faults.events(text, field="reasoning_content"),
        lambda text: Scripted(faults.events(text).body, content_type="application/json"),
        lambda text: faults.choices({"text": text, "finish_reason": "stop"}),
        lambda text: faults.choices({"message": text}),
        lambda text: faults.message(content={"type": "text", "text": text}),
        lambda text: faults.message(content=[text]),
        lambda text: faults.message(content=None, function_call={"name": "f", "arguments": json.dumps({"x": text})}),
        lambda text: faults.message(content="", tool_calls=[{"function": {"name": "f", "arguments": text}}]),
        lambda text: faults.message(content="", tool_calls=[{"function": {"arguments": {"source": text}}}]),
    ],
    ids=range(14),
)  # fmt: skip
def test_text_is_read_wherever_a_server_puts_it(shape: Callable[[str], Scripted]) -> None:
    answer, _ = asked(shape(TEXT))
    assert answer.text == TEXT
    assert (answer.trouble, answer.cut) == ("", False)


@pytest.mark.parametrize(
    ("shape", "trouble", "text"),
    [
        (faults.message(content=None), "empty", ""),
        (faults.message(content=" \n"), "empty", ""),
        (faults.message(content=[{"type": "text"}]), "empty", ""),
        (faults.choices({}), "empty", ""),
        (faults.message(content=None, refusal="I would rather not."), "refuses", "I would rather not."),
        (faults.message(content=[{"type": "refusal", "refusal": "No."}]), "refuses", "No."),
        (faults.message(content="", reasoning_content="Hm, let me see"), "thoughts", "Hm, let me see"),
        (faults.message("length", content="", reasoning="Hm"), "OPENAI_MAX_TOKENS", "Hm"),
        (faults.message("length", content=None), "OPENAI_MAX_TOKENS", ""),
        (faults.message("content_filter", content="half"), "content filter", "half"),
    ],
)
def test_an_answer_without_text_says_why_and_keeps_what_came(shape: Scripted, trouble: str, text: str) -> None:
    answer, _ = asked(shape)
    assert trouble in answer.trouble
    assert answer.text == text


def test_events_that_end_without_an_end_broke_off() -> None:
    shape = faults.events("x = 1", finish="")
    assert f"broke off after {len(shape.body)} bytes" in complaint(shape)


def test_an_error_among_the_events_is_told() -> None:
    body = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: {"error": {"message": "upstream died"}}\n\n'
    assert "upstream died" in complaint(Scripted(body, content_type="text/event-stream"))


# -- causes


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Scripted(b"Input validation error", status=422), "Input validation error"),
        (Scripted(b"CUDA out of memory", status=500, content_type="text/plain"), "CUDA out of memory"),
        (Scripted(b"<html><head><title>Bad</title></head><body><h1>Too&nbsp;bad</h1></body>", status=400), "Too bad"),
        (faults.not_pulled("qwen"), "try pulling it first"),
        (Scripted({"detail": "Not enough memory"}, status=500), "Not enough memory"),
        (Scripted({"object": "error", "message": "old vLLM"}, status=400), "old vLLM"),
        (Scripted([{"error": {"message": "in a list"}}], status=400), "in a list"),
    ],
)  # fmt: skip
def test_the_cause_of_an_error_is_shown(shape: Scripted, words: str) -> None:
    sentence = complaint(shape)
    assert words in sentence
    assert "<" not in sentence


def test_a_long_cause_is_cut_and_cleaned() -> None:
    sentence = complaint(Scripted(b"\x1b[2J" + b"bad " * 10_000, status=500))
    assert len(sentence) < 500
    assert sentence.isprintable()


def test_an_empty_account_is_final_at_once() -> None:
    with FakeModelServer(in_order([faults.out_of_quota()])) as server:
        with pytest.raises(GenerationError, match=r"no credits left.*check your plan"):
            ModelServer(server.base_url, KEY, retries=2).complete("m", MESSAGES)
        assert len(server.requests) == 1


# -- the key


@pytest.mark.parametrize(
    "form", [KEY, KEY.upper(), base64.b64encode(KEY.encode()).decode(), f"x = '{KEY}'", f"{KEY}\n{KEY}"]
)
def test_the_key_is_masked_in_an_answer_and_the_leak_is_known(form: str) -> None:
    answer, _ = asked(Scripted(f"NAME = '{form}'"))
    assert answer.leaked
    assert MASK in answer.text
    assert form.splitlines()[0] not in answer.text


@pytest.mark.parametrize("shape", [faults.in_parts, faults.in_reasoning, faults.in_tool_call, faults.events])
def test_the_key_is_masked_in_every_shape(shape: Callable[[str], Scripted]) -> None:
    answer, _ = asked(shape(f"def on_tick(ctx, tick): return '{KEY}'"))
    assert answer.leaked
    assert KEY not in answer.text


def test_a_key_in_a_refusal_or_a_model_name_is_masked() -> None:
    assert KEY not in repr(asked(faults.message(content=None, refusal=f"No, {KEY}"))[0])
    named = {"model": KEY, "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert asked(Scripted(named))[0].model == MASK


def test_the_letters_of_a_key_that_is_no_secret_may_stand_in_an_answer() -> None:
    with FakeModelServer(in_order([Scripted("none of x")])) as server:
        answer = ModelServer(server.base_url, "none").complete("m", MESSAGES)
    assert (answer.text, answer.leaked) == ("none of x", False)


def test_the_key_is_not_in_the_client_s_own_words() -> None:
    assert KEY not in repr(ModelServer("http://x", KEY))
