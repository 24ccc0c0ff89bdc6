"""The answers of model servers in all their shapes, good and bad, for the loopback server.

Shapes and sentences are those of the servers named in each function.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from arena.llm.fake import Script, Scripted, completion


def events(text: str, *, finish: str = "stop", field: str = "content", comments: bool = True) -> Scripted:
    """Answer in server-sent events, as OpenRouter does with comments between them."""
    chunks: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
    chunks += [{"delta": {field: text[n : n + 7]}} for n in range(0, len(text), 7)]
    chunks += [{"delta": {}, "finish_reason": finish}] if finish else []
    lines = [": OPENROUTER PROCESSING\n\n"] if comments else []
    for chunk in chunks:
        event = {"object": "chat.completion.chunk", "model": "fake", "choices": [{"index": 0, **chunk}]}
        lines.append(f"data: {json.dumps(event)}\n\n")
    usage = {"prompt_tokens": 100, "completion_tokens": 200}
    lines.append(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n")
    lines += ["data: [DONE]\n\n"] if finish else []
    return Scripted("".join(lines).encode(), content_type="text/event-stream")


def events_of(chunks: Sequence[dict[str, Any]]) -> Scripted:
    """Answer in these events and the one that ends them."""
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Scripted("".join([*lines, "data: [DONE]\n\n"]).encode(), content_type="text/event-stream")


def message(finish_reason: str = "stop", **parts: Any) -> Scripted:
    """Answer with one choice whose message has these fields."""
    return choices({"message": {"role": "assistant", **parts}, "finish_reason": finish_reason})


def choices(*found: dict[str, Any]) -> Scripted:
    """Answer with these choices."""
    numbered = [{"index": n, **choice} for n, choice in enumerate(found)]
    usage = {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "fake"}
    return Scripted({**body, "choices": numbered, "usage": usage})


def in_parts(text: str) -> Scripted:
    """Answer with the content as a list of parts."""
    half = len(text) // 2
    return message(content=[{"type": "text", "text": text[:half]}, {"type": "text", "text": text[half:]}])


def in_reasoning(text: str) -> Scripted:
    """Answer with the code among the thoughts, as DeepSeek's and vLLM's reasoning parsers may."""
    return message(content=None, reasoning_content=text)


def in_tool_call(text: str, argument: str = "code") -> Scripted:
    """Answer with a tool call that nobody offered."""
    function = {"name": "write_file", "arguments": json.dumps({"path": "bot.py", argument: text})}
    return message("tool_calls", content=None, tool_calls=[{"id": "1", "type": "function", "function": function}])


def in_second_choice(text: str) -> Scripted:
    """Answer with an empty first choice and the text in the second."""
    first = {"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
    return choices(first, {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"})


def bomb(unpacked: int = 2 << 30) -> Scripted:
    """Answer with few bytes that unpack to many."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = b" " * (1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(unpacked >> 20)) + packer.flush()
    return Scripted(packed, headers={"content-encoding": "gzip"})


def packed(text: str) -> Scripted:
    """Answer with a sound completion, compressed."""
    body = json.dumps(completion({}, Scripted(text))).encode()
    return Scripted(gzip.compress(body), headers={"content-encoding": "gzip"})


def redirect(location: str, status: int = 307) -> Scripted:
    """Answer by sending the client elsewhere."""
    return Scripted(b"", status=status, headers={"location": location})


def error(status: int, words: str, **more: Any) -> Scripted:
    """Answer with an error object as OpenAI's."""
    return Scripted({"error": {"message": words, "type": "invalid_request_error", **more}}, status=status)


def out_of_quota() -> Scripted:
    """Answer as OpenAI does when the account has no money left."""
    words = "You exceeded your current quota, please check your plan and billing details."
    return error(429, words, type="insufficient_quota", code="insufficient_quota")


def not_pulled(model: str) -> Scripted:
    """Answer as Ollama does for a model that is not on the machine."""
    return error(404, f"model '{model}' not found, try pulling it first", type="api_error")


def picky(answer: Scripted, *refused: str) -> Script:
    """Return a script that refuses requests with a parameter of these, as newer OpenAI models and Gemma's do.

    "max_tokens", "temperature", "system" or a number, which is the longest answer allowed.
    """
    complaints: dict[str, Callable[[dict[str, Any]], str | None]] = {
        "max_tokens": lambda r: (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            if "max_tokens" in r
            else None
        ),
        "temperature": lambda r: (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported."
            if "temperature" in r
            else None
        ),
        "system": lambda r: "System role not supported" if any(m["role"] == "system" for m in r["messages"]) else None,
    }

    def script(request: dict[str, Any], _number: int) -> Scripted:
        for name in refused:
            if name.isdigit():
                asked = request.get("max_tokens", request.get("max_completion_tokens", 0))
                if asked > int(name):
                    words = f"max_tokens is too large: {asked}. This model supports at most {name} completion tokens"
                    return error(400, f"{words}, whereas you provided {asked}.", param="max_tokens")
            elif (told := complaints[name](request)) is not None:
                return error(400, told, param=name, code="unsupported_parameter")
        return answer

    return script


def small_context(tokens: int, answers: Sequence[Scripted]) -> Script:
    """Return a script whose model holds so many tokens, four characters each, as vLLM complains of it."""
    given = iter(answers)

    def script(request: dict[str, Any], _number: int) -> Scripted:
        words = sum(len(m["content"]) for m in request["messages"]) // 4
        asked = request.get("max_tokens", 0)
        if words + asked > tokens:
            return error(
                400,
                f"This model's maximum context length is {tokens} tokens. However, you requested {words + asked} "
                f"tokens ({words} in the messages, {asked} in the completion). Please reduce the length of the "
                "messages or completion.",
                code="context_length_exceeded",
            )
        return next(given)

    return script
