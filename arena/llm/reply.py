"""Reads what a chat server answers: JSON, a page, an error in a 200, or events though none were asked for."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from arena.core.text import clean_line
from arena.errors import GenerationError

_MAX_WORDS = 300
_MAX_CHOICES = 16
_CODE_FIELDS = ("code", "source", "file", "content", "text")


@dataclass(slots=True)
class Reply:
    """An answer as read; `trouble` says why there is no text, `aside` is what came instead of it."""

    text: str = ""
    finish: str = ""
    model: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    aside: str = ""


def read_reply(body: bytes, content_type: str) -> Reply:
    """Return the answer in a body that came with status 200; GenerationError where it holds none."""
    text = body.decode("utf-8-sig", "replace")
    if "event-stream" in content_type or re.match(r"\s*(?:data|event|id|retry)?:", text):
        return _from_events(text, len(body))
    if text.lstrip()[:1] == "<" or "text/html" in content_type:
        raise GenerationError("The model server's address answers with a page, not an API: check OPENAI_BASE_URL.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise GenerationError("The model server answered with broken JSON.") from None
    if not isinstance(found, dict):
        raise GenerationError("The model server's answer has a strange shape: it is not an object.")
    return _from_document(found)


def _from_document(found: dict[str, Any]) -> Reply:
    choices = found.get("choices")
    if not choices:
        why = words_of(found) or "no choices"
        raise GenerationError(f"The model server answered without a completion: {why}")
    if not isinstance(choices, list):
        raise GenerationError("The model server's answer has a strange shape: its choices are no list.")
    replies = [_from_choice(choice) for choice in choices[:_MAX_CHOICES] if isinstance(choice, dict)]
    if not replies:
        raise GenerationError("The model server's answer has a strange shape: a choice is no object.")
    best = next((reply for reply in replies if reply.text.strip()), replies[0])
    best.model = str(found.get("model") or "")
    usage = found.get("usage")
    best.usage = usage if isinstance(usage, dict) else {}
    return best


def _from_choice(choice: dict[str, Any]) -> Reply:
    reply = Reply(finish=str(choice.get("finish_reason") or ""))
    message = choice.get("message", choice.get("delta"))
    if isinstance(message, str):
        reply.text = message
    elif isinstance(message, dict):
        _read_message(message, reply)
    elif isinstance(choice.get("text"), str):
        reply.text = choice["text"]
    if not reply.text.strip() and not reply.trouble:
        reply.trouble = "it is empty"
    return reply


def _read_message(message: dict[str, Any], reply: Reply) -> None:
    reply.text = _flat(message.get("content"))
    refusal = _flat(message.get("refusal")) or _flat(message.get("content"), kinds=("refusal",))
    if reply.text.strip():
        return
    reply.text = "\n\n".join(_called(message))
    thoughts = _flat(message.get("reasoning_content")) or _flat(message.get("reasoning"))
    if reply.text.strip():
        return
    if "def on_tick" in thoughts:
        reply.text = thoughts
    elif refusal:
        reply.trouble, reply.aside = f"it refuses: {clean_line(refusal, _MAX_WORDS)}", refusal
    elif thoughts:
        reply.trouble, reply.aside = "it holds thoughts and no answer", thoughts


def _flat(content: Any, kinds: tuple[str, ...] = ("text", "output_text", "input_text")) -> str:
    """Return the text of a content that is a string, one part, or a list of parts."""
    if isinstance(content, str):
        return content if "text" in kinds else ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    parts = []
    for part in content:
        if isinstance(part, str) and "text" in kinds:
            parts.append(part)
        elif isinstance(part, dict) and part.get("type", "text") in kinds:
            value = part.get("refusal") if "refusal" in kinds else part.get("text", part.get("content"))
            if isinstance(value, dict):
                value = value.get("value")
            if isinstance(value, str):
                parts.append(value)
    return "".join(parts)


def _called(message: dict[str, Any]) -> Iterator[str]:
    """Yield what the arguments of tool calls hold."""
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else []
    for call in [*calls, {"function": message.get("function_call")}]:
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(arguments, str):
            try:
                told = json.loads(arguments)
            except (ValueError, RecursionError):
                yield arguments
                continue
            arguments = told
        if isinstance(arguments, str):
            yield arguments
        elif isinstance(arguments, dict):
            texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
            named = next((texts[key] for key in _CODE_FIELDS if key in texts), None)
            if named is not None or texts:
                yield named if named is not None else max(texts.values(), key=len)


# -- events ------------------------------------------------------------------------------------------------


def _from_events(text: str, size: int) -> Reply:
    reply = Reply()
    message: dict[str, Any] = {}
    pieces: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning_content": []}
    calls: dict[int, list[str]] = {}
    whole, ended = None, False
    for event in _events(text):
        if event == "[DONE]":
            ended = True
            break
        try:
            found = json.loads(event)
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, dict):
            continue
        if found.get("error"):
            raise GenerationError(f"The model server broke its answer off: {words_of(found)}")
        reply.model = str(found.get("model") or reply.model)
        reply.usage = found["usage"] if isinstance(found.get("usage"), dict) else reply.usage
        for choice in _first_choices(found.get("choices")):
            if isinstance(choice.get("message"), dict):
                whole = found
            reply.finish = str(choice.get("finish_reason") or reply.finish)
            _gather(choice.get("delta"), pieces, calls)
    if whole is not None:
        return _from_document(whole)
    if not ended and not reply.finish:
        raise GenerationError(f"The model server's answer broke off after {size} bytes.")
    message = {name: "".join(found) for name, found in pieces.items()}
    message["tool_calls"] = [{"function": {"arguments": "".join(parts)}} for parts in calls.values()]
    read = _from_choice({"message": message, "finish_reason": reply.finish})
    read.model, read.usage = reply.model, reply.usage
    return read


def _events(text: str) -> Iterator[str]:
    data: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line.strip() and data:
            yield "\n".join(data).strip()
            data = []


class LiveText:
    """Hands on the text of events as it comes; the last `hold` characters wait, since a key may have begun there."""

    def __init__(self, on_text: Callable[[str], object] | None, masked: Callable[[str], str], hold: int) -> None:
        self._on_text = on_text
        self._masked = masked
        self._hold = hold
        self._line = b""
        self._waiting = ""

    def feed(self, piece: bytes) -> bool:
        """Read more bytes and say whether they hold the event that ends the answer."""
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return True
            if self._on_text is not None:
                self._waiting += _delta_text(data)
        self._tell(self._hold)
        return False

    def end(self) -> None:
        """Hand on what still waits."""
        self._tell(0)

    def _tell(self, hold: int) -> None:
        self._waiting = self._masked(self._waiting)
        told = self._waiting[: len(self._waiting) - hold] if hold else self._waiting
        if told and self._on_text is not None:
            self._waiting = self._waiting[len(told) :]
            self._on_text(told.encode("utf-8", "replace").decode())


def _delta_text(data: bytes) -> str:
    """Return the text that an event adds, "" where it adds none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    choices = _first_choices(found.get("choices")) if isinstance(found, dict) else []
    deltas = (choice.get("delta") for choice in choices)
    return "".join(_flat(delta.get("content")) for delta in deltas if isinstance(delta, dict))


def _first_choices(choices: Any) -> Iterable[dict[str, Any]]:
    found = choices if isinstance(choices, list) else []
    return [choice for choice in found if isinstance(choice, dict) and choice.get("index", 0) in {0, None}]


def _gather(delta: Any, pieces: dict[str, list[str]], calls: dict[int, list[str]]) -> None:
    if not isinstance(delta, dict):
        return
    pieces["content"].append(_flat(delta.get("content")))
    pieces["refusal"].append(_flat(delta.get("refusal")))
    pieces["reasoning_content"].append(_flat(delta.get("reasoning_content")) or _flat(delta.get("reasoning")))
    called = delta.get("tool_calls")
    for call in called if isinstance(called, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            place = call.get("index", 0)
            calls.setdefault(place if isinstance(place, int) else 0, []).append(function["arguments"])


# -- errors ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as a server words it, cleaned and cut; `code` and `param` where it names them."""

    words: str
    code: str = ""
    param: str = ""


def read_complaint(body: bytes) -> Complaint:
    """Return the cause that an error's body tells, whatever its shape."""
    text = body[: 64 * 1024].decode("utf-8-sig", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Complaint(_plain(text))
    error = found.get("error") if isinstance(found, dict) else None
    inner = error if isinstance(error, dict) else found if isinstance(found, dict) else {}
    code = [str(inner[key]) for key in ("code", "type") if isinstance(inner.get(key), str | int)]
    return Complaint(words_of(found), " ".join(code), str(inner.get("param") or ""))


def words_of(found: Any, depth: int = 3) -> str:
    """Return the sentence in an error object: its message, detail or text."""
    if isinstance(found, str):
        return _plain(found)
    if depth == 0:
        return ""
    if isinstance(found, list):
        told = (words_of(item, depth - 1) for item in found[:3])
        return clean_line("; ".join(words for words in told if words), _MAX_WORDS)
    if not isinstance(found, dict):
        return ""
    for key in ("error", "message", "detail", "msg", "error_description", "reason", "title"):
        words = words_of(found.get(key), depth - 1)
        if words:
            where = found.get("loc")
            place = ".".join(str(part) for part in where) if isinstance(where, list) else ""
            return clean_line(f"{place}: {words}" if place else words, _MAX_WORDS)
    return ""


def _plain(text: str) -> str:
    """Return text without marks, scripts and line breaks."""
    if "<" in text:
        text = re.sub(r"(?is)<(script|style|head)\b(?!.*<title).*?</\1>", " ", text)
        text = html.unescape(re.sub(r"(?s)<[^>]{0,500}>", " ", text))
    return clean_line(" ".join(text.split()), _MAX_WORDS)
