"""One call to an OpenAI-compatible chat server: every way it can go ends in text or in a sentence.

What a server refuses of a request (a parameter, the system role, the length) is left out or changed, and that is
remembered for the model, so that it is asked rightly from then on.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import random
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from arena.core.text import clean_line
from arena.errors import GenerationError
from arena.llm.reply import Complaint, LiveText, Reply, read_complaint, read_reply

Message = dict[str, str]

MAX_COMPLETION = 512 * 1024
MASK = "***"
_OPENAI = "https://api.openai.com/v1"
_RETRIED = frozenset({408, 409, 425, 429})
_MAX_ADAPTIONS = 8
_LEAST_ANSWER = 256
_LAST_PORT = 65_535
# A shorter key (ollama's "x", "none") is no secret, and its letters would stand in many a word.
_SHORTEST_SECRET = 8


class ContextTooSmallError(GenerationError):
    """The conversation does not fit into the model's context."""


class CallCancelledError(GenerationError):
    """Somebody has cancelled the call; its connection is closed."""


class Cancellation:
    """Lets any thread end a call of another: the connection is closed at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._end: Callable[[], object] | None = None

    @property
    def cancelled(self) -> bool:
        """Say whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the call that is under way, and every later one at its beginning."""
        with self._lock:
            self._cancelled = True
            if self._end is not None:
                # A loop that has just ended has nothing left to cancel.
                with contextlib.suppress(RuntimeError):
                    self._end()

    def attach(self) -> None:
        """Let `cancel` end the task that runs now."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with self._lock:
            self._end = functools.partial(loop.call_soon_threadsafe, task.cancel)
            if self._cancelled:
                task.cancel()


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer.

    `cut` says that it ran into its length limit, `trouble` why there is no text (what came instead is then the
    text), and `leaked` that it repeated the key, which is masked.
    """

    text: str
    model: str
    cut: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    trouble: str = ""
    leaked: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a model wants to be asked; `room` is the longest answer it allows, 0 where that is unknown."""

    length_field: str
    temperature: bool = True
    system_role: bool = True
    room: int = 0
    stream: bool = True
    stream_usage: bool = True


@dataclass(frozen=True, slots=True)
class ModelServer:
    """Where a model is reached, and how long one call may take, all its retries included.

    `context` is what the model holds in tokens, words and answer together, 0 where that is unknown; `parameters`
    are sent along with every request as they are.
    """

    base_url: str
    api_key: str = field(repr=False)
    timeout: float = 120.0
    max_tokens: int = 8000
    max_tokens_field: str = "max_tokens"
    retries: int = 2
    max_tokens_limit: int = 32_000
    temperature: float | None = 0.2
    context: int = 0
    stream: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _dialects: dict[str, Dialect] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def complete(
        self, model: str, messages: Sequence[Message], *, room: float = 1.0, temperature: float | None = None,
        on_text: Callable[[str], object] | None = None, cancellation: Cancellation | None = None,
    ) -> Completion:  # fmt: skip
        """Ask for an answer; GenerationError says in words why there is none.

        `room` times the usual length is asked for, up to the largest length that is set. `on_text` is handed what
        is written while it comes, without the key; where the server does not stream it is not called.
        """
        import openai  # noqa: F401 - it takes most of a second, which is not the server's

        started = time.monotonic()
        budget = min(int(self.max_tokens * room), max(self.max_tokens, self.max_tokens_limit))
        call = _Call(model, messages, budget, temperature, on_text, cancellation)
        try:
            reply = asyncio.run(self._within_deadline(call))
        except asyncio.CancelledError:
            raise CallCancelledError("The call of the model was cancelled.") from None
        except GenerationError as error:
            # Some servers repeat the key in their complaint about it.
            raise type(error)(self._masked(str(error))[0]) from None
        return self._completion(reply, model, started)

    def probe(self, model: str, seconds: float) -> tuple[Completion, list[str]]:
        """Ask for one token within so many seconds; return what came and what the server wanted otherwise.

        A model that thinks first may use up the token before it writes: that it answers is enough.
        """
        learned: dict[str, Dialect] = {}
        once = replace(
            self, timeout=min(self.timeout, seconds), max_tokens=1, max_tokens_limit=1, context=0, retries=0,
            _dialects=learned, _lock=threading.Lock(),
        )  # fmt: skip
        answer = once.complete(model, [{"role": "user", "content": "Answer with the word yes."}])
        return answer, _told(learned.get(model), self)

    def _completion(self, reply: Reply, model: str, started: float) -> Completion:
        told = reply.text if reply.text.strip() else reply.aside
        text, leaked = self._masked(told[:MAX_COMPLETION].encode("utf-8", "replace").decode())
        name, in_name = self._masked(reply.model or model)
        trouble = "" if reply.text.strip() else reply.trouble
        if trouble and reply.finish == "length":
            trouble = "it used up its length before it wrote a word: raise OPENAI_MAX_TOKENS or OPENAI_MAX_TOKENS_LIMIT"
        elif reply.finish == "content_filter":
            trouble = "the server's content filter stopped it"
        return Completion(
            text=text,
            model=clean_line(name, 200),
            cut=reply.finish == "length" or len(told) > MAX_COMPLETION,
            prompt_tokens=_count(reply.usage.get("prompt_tokens")),
            completion_tokens=_count(reply.usage.get("completion_tokens")),
            seconds=time.monotonic() - started,
            trouble=self._masked(trouble)[0],
            leaked=leaked or in_name,
        )

    def longest(self, model: str) -> int:
        """Return the longest answer that this model may be asked for."""
        with self._lock:
            known = self._dialects.get(model)
        most = max(self.max_tokens, self.max_tokens_limit)
        return min(most, known.room) if known and known.room else most

    # -- the key --------------------------------------------------------------------------------------------

    def _masked(self, text: str) -> tuple[str, bool]:
        """Return a text with the key taken out, also where it is encoded, and whether it was there."""
        forms = self._forms()
        if not forms:
            return text, False
        found = re.compile("|".join(re.escape(form) for form in forms), re.IGNORECASE)
        masked, times = found.subn(MASK, text)
        return masked, times > 0

    def _forms(self) -> list[str]:
        """Return how the key may stand in a text, the longest form first; none for one that is no secret."""
        key = self.api_key
        if len(key) < _SHORTEST_SECRET:
            return []
        encoded = base64.b64encode(key.encode()).decode().rstrip("=")[:-1]
        forms = {key, urllib.parse.quote(key, safe=""), encoded, json.dumps(key)[1:-1]}
        return sorted(forms, key=len, reverse=True)

    # -- asking ---------------------------------------------------------------------------------------------

    async def _within_deadline(self, call: _Call) -> Reply:
        if call.cancellation is not None:
            call.cancellation.attach()
        try:
            async with asyncio.timeout(self.timeout):
                return await self._adapted(call)
        except TimeoutError:
            raise GenerationError(f"The model server gave no answer within {self.timeout:g} s.") from None

    async def _adapted(self, call: _Call) -> Reply:
        """Ask, and ask again in another way as long as the server says which way it wants."""
        for _ in range(_MAX_ADAPTIONS):
            with self._lock:
                dialect = self._dialects.get(call.model, Dialect(self.max_tokens_field))
            request = self._request(call, dialect)
            answer = await self._persistent(request, call.on_text)
            if answer.status == 200:
                return _usable(read_reply(answer.body, answer.headers.get("content-type", "")))
            complaint = read_complaint(answer.body)
            changed = _adaption(dialect, complaint, request) if answer.status in {400, 413, 422} else None
            if changed is None:
                raise _refusal(answer.status, complaint)
            with self._lock:
                self._dialects[call.model] = changed
        raise _refusal(answer.status, complaint)

    async def _persistent(self, request: dict[str, Any], on_text: Callable[[str], object] | None) -> _Answer:
        """Ask until an answer comes that another try would not change; the deadline is the caller's."""
        from arena.llm.exchange import BrokenOffError, UnreachableError

        left = self.retries
        while True:
            wait = 0.5 * 2 ** (self.retries - left) * random.uniform(0.75, 1.0)
            try:
                answer = await self._post(request, on_text)
            except (BrokenOffError, UnreachableError):
                if not left:
                    raise
            else:
                loading = _is_loading(answer)
                if (not left and not loading) or not _may_pass(answer.status, answer.body):
                    return answer
                wait = _asked_wait(answer.headers, 1.0 if loading else wait)
                if wait > self.timeout:
                    # It says itself that there is no use in waiting here.
                    return answer
                # A model that is being loaded is waited for as long as the deadline allows.
                left += loading
            left -= 1
            await asyncio.sleep(wait)

    async def _post(self, request: dict[str, Any], on_text: Callable[[str], object] | None) -> _Answer:
        """Send one request by the openai package and return whatever came, whatever its shape."""
        import httpx2
        from openai import APIConnectionError, APIStatusError, AsyncOpenAI, Omit

        from arena.llm.exchange import BoundedTransport, no_address

        try:
            base = httpx2.URL((self.base_url or _OPENAI).rstrip("/"))
        except (httpx2.InvalidURL, UnicodeError):
            raise no_address(self.base_url) from None
        if base.scheme not in {"http", "https"} or not base.host or (base.port or 0) > _LAST_PORT:
            raise no_address(self.base_url)
        if re.search(r"[^ -~]|\A | \Z", self.api_key):
            raise GenerationError(
                "The key of the model server cannot be sent: it begins or ends with a blank, or holds a line break or "
                "a letter beyond ASCII. Check OPENAI_API_KEY, or the variable that api_key_env names."
            )
        timeout = httpx2.Timeout(self.timeout)
        http = httpx2.AsyncClient(transport=BoundedTransport(), timeout=timeout, follow_redirects=False)
        headers: dict[str, Any] = {"accept-encoding": "gzip"}
        if not self.api_key:
            headers["authorization"] = Omit()
        body = {name: value for name, value in request.items() if name not in {"model", "messages"}}
        async with AsyncOpenAI(
            api_key=self.api_key or "none", base_url=str(base), timeout=timeout, max_retries=0, http_client=http
        ) as client:
            ask = client.chat.completions.with_streaming_response.create
            try:
                async with ask(
                    model=request["model"], messages=request["messages"], extra_body=body, extra_headers=headers
                ) as response:
                    found = response.http_response
                    return _Answer(found.status_code, found.headers, await _read_body(found, self._live(on_text)))
            except APIStatusError as error:
                return _Answer(error.response.status_code, error.response.headers, error.response.content)
            except APIConnectionError as error:
                if isinstance(error.__cause__, GenerationError | TimeoutError):
                    raise error.__cause__ from None
                raise GenerationError(f"The model server cannot be asked: {clean_line(str(error), 200)}") from None

    def _live(self, on_text: Callable[[str], object] | None) -> LiveText:
        """Return a reader of the events that hands on what is written, without the key."""
        hold = max(map(len, self._forms()), default=1) - 1
        return LiveText(on_text, lambda text: self._masked(text)[0], hold)

    def _request(self, call: _Call, dialect: Dialect) -> dict[str, Any]:
        """Return the body of a request as this model wants it."""
        asked = list(call.messages) if dialect.system_role else _without_system(call.messages)
        room = min(call.budget, dialect.room) if dialect.room else call.budget
        if self.context:
            room = min(room, self._left_in_context(asked))
        request: dict[str, Any] = {"model": call.model, "messages": asked, **self.parameters}
        temperature = self.temperature if call.temperature is None else call.temperature
        if dialect.temperature and temperature is not None:
            request["temperature"] = temperature
        if dialect.length_field:
            request[dialect.length_field] = room
        if self.stream and dialect.stream:
            request["stream"] = True
            if dialect.stream_usage:
                request["stream_options"] = {"include_usage": True}
        return request

    def _left_in_context(self, messages: Sequence[Message]) -> int:
        """Return how long an answer fits behind the words; some servers would cut the words without a sound."""
        left = self.context - sum(len(m["content"]) for m in messages) // 3 - 16
        if left < _LEAST_ANSWER:
            raise ContextTooSmallError(
                f"The conversation does not fit into the model's context of {self.context} tokens: "
                "give it a larger one, or take another model."
            )
        return left


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server sent: status, headers and the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Call:
    """One call as it was asked for; `budget` is the longest answer in tokens."""

    model: str
    messages: Sequence[Message]
    budget: int
    temperature: float | None
    on_text: Callable[[str], object] | None
    cancellation: Cancellation | None


async def _read_body(answer: Any, live: LiveText) -> bytes:
    """Read an answer to its end, or to the event that says so, and hand on its text as it comes."""
    kept = bytearray()
    events = "event-stream" in answer.headers.get("content-type", "")
    async for piece in answer.aiter_bytes():
        kept += piece
        if events and live.feed(piece):
            break
    live.end()
    return bytes(kept)


def _is_loading(answer: _Answer) -> bool:
    """Tell whether a server says that its model is still being loaded, as llama.cpp does."""
    return answer.status == 503 and "loading" in read_complaint(answer.body).words.lower()


def _told(dialect: Dialect | None, server: ModelServer) -> list[str]:
    """Return what a server wanted otherwise than it was asked first, one sentence each."""
    if dialect is None:
        return []
    found = []
    if dialect.length_field != server.max_tokens_field:
        found.append(f"it wants {dialect.length_field or 'no length'} in place of {server.max_tokens_field}.")
    if not dialect.temperature and server.temperature is not None:
        found.append("it takes no temperature.")
    if not dialect.stream:
        found.append("it does not stream.")
    return found


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation with what the system says put before the first words of the user."""
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    others = [dict(m) for m in messages if m["role"] != "system"]
    first = next((m for m in others if m["role"] == "user"), None)
    if system and first is not None:
        first["content"] = f"{system}\n\n{first['content']}"
    return others


_CONTEXT = re.compile(
    r"context (?:length|window|size|limit)|maximum context|context_length|exceed\w* .{0,40}context|"
    r"prompt is too long|too many tokens|input (?:is )?too long|reduce (?:your prompt|the length)|n_ctx"
)


_SYSTEM = re.compile(
    r"\bsystem\b.{0,60}(?:role|message|prompt|instruction)|(?:role|message|prompt|instruction)\w*\b.{0,60}\bsystem\b"
    r"|developer instruction|roles must alternate|only user and assistant"
)


def _adaption(dialect: Dialect, complaint: Complaint, request: dict[str, Any]) -> Dialect | None:
    """Return how to ask instead, None where the complaint is about nothing that can be changed."""
    said = f"{complaint.words} {complaint.code} {complaint.param}".lower()
    if _CONTEXT.search(said):
        return _shorter(dialect, said, request)
    if dialect.length_field and re.search(r"max_tokens|max_completion_tokens|maximum (?:output|completion)", said):
        return _other_length(dialect, said, request)
    if dialect.temperature and "temperature" in said:
        return replace(dialect, temperature=False)
    if dialect.stream and request.get("stream") and re.search(r"\bstream|include_usage", said):
        # First without the wish for a count at the end, which older servers do not know.
        usage = "stream_options" in request and re.search(r"stream_options|include_usage", said) is not None
        return replace(dialect, stream_usage=False) if usage else replace(dialect, stream=False)
    if dialect.system_role and _SYSTEM.search(said):
        return replace(dialect, system_role=False)
    return None


def _other_length(dialect: Dialect, said: str, request: dict[str, Any]) -> Dialect:
    """Return a dialect with a smaller length or another name for it; at last without one."""
    used = dialect.length_field
    if used != "max_completion_tokens" and "max_completion_tokens" in said:
        return replace(dialect, length_field="max_completion_tokens")
    limits = [int(n) for n in re.findall(r"(?<![\w.-])[0-9]{2,7}(?![\w-]|\.[0-9])", said)]
    smaller = [n for n in limits if _LEAST_ANSWER <= n < request[used]]
    if smaller:
        return replace(dialect, room=max(smaller))
    return replace(dialect, length_field="max_tokens" if used == "max_completion_tokens" else "")


def _shorter(dialect: Dialect, said: str, request: dict[str, Any]) -> Dialect:
    """Return a dialect whose answers leave room for the words; ContextTooSmallError where there is none."""
    numbers = [int(n) for n in re.findall(r"(?<![\w.-])[0-9]{2,8}(?![\w-]|\.[0-9])", said)]
    asked = request.get(dialect.length_field, 0) if dialect.length_field else 0
    limit = numbers[0] if numbers else 0
    # A token is seldom less than three characters of code or English.
    words = sum(len(m["content"]) for m in request["messages"]) // 3
    told = re.search(
        r"([0-9]+) (?:tokens )?(?:in|of|from) (?:the |your )?(?:input |text |prompt )*(?:messages?|prompt|input)", said
    )
    words = int(told[1]) if told else words
    left = limit - words - 16
    if not limit or not asked or left < _LEAST_ANSWER or left >= asked:
        raise ContextTooSmallError(
            f"The conversation does not fit into the model's context{f' of {limit} tokens' if limit else ''}: "
            "give it a larger one, or take another model."
        )
    return replace(dialect, room=left)


def _may_pass(status: int, body: bytes) -> bool:
    """Tell whether another try may have another end."""
    if status not in _RETRIED and status < 500:
        return False
    complaint = read_complaint(body)
    said = f"{complaint.code} {complaint.words}".lower()
    return not re.search(r"insufficient_quota|exceeded your current quota|billing|credit balance", said)


def _asked_wait(headers: Mapping[str, str], usual: float) -> float:
    """Return how long a server asks to wait, in seconds."""
    told = headers.get("retry-after", "")
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(told)) if told else usual
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return usual


def _refusal(status: int, complaint: Complaint) -> GenerationError:
    said = f"{complaint.code} {complaint.words}".lower()
    words = complaint.words or "it says no more"
    if status in {401, 403}:
        return GenerationError(f"The model server refuses the key (HTTP {status}): check OPENAI_API_KEY. {words}")
    if status == 404:
        return GenerationError(
            "The model server knows no such model or path (HTTP 404): check OPENAI_MODEL, OPENAI_BASE_URL. "
            f"It says: {words}"
        )
    if status == 402 or re.search(r"insufficient_quota|exceeded your current quota|billing|credit balance", said):
        return GenerationError(f"The model server says that there are no credits left (HTTP {status}): {words}")
    if status == 429:
        return GenerationError(f"The model server asks to slow down, or its quota is used up (HTTP 429): {words}")
    return GenerationError(f"The model server answered HTTP {status}: {words}")


def _usable(reply: Reply) -> Reply:
    if reply.finish == "error":
        raise GenerationError("The model server broke the answer off (error).")
    return reply


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 31 else None
