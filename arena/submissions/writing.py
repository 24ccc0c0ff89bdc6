"""Asks models for bots: each call is kept as an attempt, its text is told while it comes, it can be cancelled."""

from __future__ import annotations

import difflib
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arena.core.text import clean_line
from arena.engine.live.broadcast import Broadcast
from arena.errors import GenerationError
from arena.llm.client import Cancellation, Completion, Message
from arena.llm.models import Model, Models
from arena.store.models import Attempt, Submission
from arena.submissions import prompt_text as words
from arena.submissions.extract import extract_bot
from arena.submissions.store import SubmissionStore
from arena.submissions.syntax import parse

LEAKED = "The answer repeats the arena's key of the model server; it was masked, and the bot is refused."
# Seconds between two events about the text of an answer.
_PACE = 0.1
_TOKEN = 4  # characters, about; where a server tells no count
_MAX_DIFF = 64 * 1024
_MAX_CAUSE = 600
# Characters that a model repeats of its own where it goes on.
_MOST_REPEATED = 2000
_LEAST_REPEATED = 4


class CallListener(Protocol):
    """Is told of each call of a model; from any thread."""

    def __call__(self, model: str, attempt: Attempt, *, answered: bool) -> None:
        """Take the arena's name of a model and what came of the call."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call that is to be made: its number, its kind (first, repair, fresh or continue) and its words.

    `begun` is the answer that a call goes on with.
    """

    n: int
    kind: str
    messages: Sequence[Message]
    before: str | None = None
    room: float = 1.0
    temperature: float | None = None
    begun: str = ""


@dataclass(slots=True)
class LiveAnswer:
    """What has come of an answer so far."""

    submission_id: str
    attempt: int
    live: Broadcast
    text: str = ""
    _told: int = 0
    _last: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, text: str) -> None:
        """Take more text and tell it, not more often than the pace."""
        with self._lock:
            self.text += text
            now = time.monotonic()
            if now - self._last >= _PACE:
                self._last = now
                self._tell()

    def end(self, whole: str | None = None) -> None:
        """Tell what was not told yet; `whole` is the answer of a server that does not stream."""
        with self._lock:
            if not self.text and whole:
                self.text = whole
            self._tell()

    def _tell(self) -> None:
        told, self._told = self._told, len(self.text)
        if self._told > told:
            self.live.publish("text", self.document(told))

    def document(self, offset: int = 0) -> dict[str, object]:
        """Return the text from an offset on, as the stream of a submission tells it."""
        return {"id": self.submission_id, "attempt": self.attempt, "offset": offset, "text": self.text[offset:]}


class Writing:
    """Makes the calls; safe to use from several threads."""

    def __init__(self, desk: SubmissionStore, models: Models, live: Broadcast, on_call: CallListener | None) -> None:
        self._desk = desk
        self._on_call = on_call
        self._models = models
        self._live = live
        self._lock = threading.Lock()
        self._calls: dict[str, tuple[Cancellation, LiveAnswer]] = {}

    def text_of(self, submission_id: str) -> dict[str, object] | None:
        """Return the text of the answer that is under way, None where none is."""
        with self._lock:
            found = self._calls.get(submission_id)
        return found[1].document() if found is not None else None

    def cancel(self, submission_id: str) -> None:
        """Close the connection of a submission's call, if one is under way."""
        with self._lock:
            found = self._calls.get(submission_id)
        if found is not None:
            found[0].cancel()

    def cancel_all(self) -> None:
        """Close the connections of all calls: the arena stops."""
        with self._lock:
            found = list(self._calls.values())
        for cancellation, _ in found:
            cancellation.cancel()

    def ask(self, submission: Submission, ask: Ask) -> Attempt:
        """Make a call and store what came; GenerationError where nothing did, which is stored as well."""
        attempt = Attempt(
            submission_id=submission.id, n=ask.n, model=submission.model, kind=ask.kind, asked_at=time.time(),
            prompt_hash=words.hash_messages(ask.messages), temperature=ask.temperature,
        )  # fmt: skip
        cancellation, answer = Cancellation(), LiveAnswer(submission.id, ask.n, self._live)
        with self._lock:
            self._calls[submission.id] = cancellation, answer
        try:
            model = self._models.find(submission.model)
            completion = model.server.complete(
                model.model, ask.messages, room=ask.room, temperature=ask.temperature,
                on_text=answer.add, cancellation=cancellation,
            )  # fmt: skip
        except GenerationError as error:
            attempt.error = clean_line(str(error), 2000)
            attempt.seconds = time.time() - attempt.asked_at
            if answer.text:
                # It was written and will be charged, although it is of no use.
                _count(attempt, self._models.find(submission.model), ask, answer.text)
            self._desk.save_attempt(attempt)
            self._tell(submission.model, attempt, answered=False)
            raise
        finally:
            with self._lock:
                del self._calls[submission.id]
        answer.end(completion.text)
        self._keep(attempt, model, ask, completion)
        self._tell(submission.model, attempt, answered=True)
        return attempt

    def _tell(self, model: str, attempt: Attempt, *, answered: bool) -> None:
        if self._on_call is not None:
            self._on_call(model, attempt, answered=answered)

    def _keep(self, attempt: Attempt, model: Model, ask: Ask, completion: Completion) -> None:
        attempt.model, attempt.seconds = completion.model, completion.seconds
        text = completion.text.replace("\0", "")
        attempt.completion = joined(ask.begun, text) if ask.begun else text
        attempt.prompt_tokens, attempt.completion_tokens = completion.prompt_tokens, completion.completion_tokens
        _count(attempt, model, ask, completion.text)
        _read(attempt, completion, ask.before)
        if ask.kind == "repair":
            attempt.cause = cause_in(attempt.completion)
        attempt.diff = diff_of(ask.before, attempt.source)
        self._desk.save_attempt(attempt)


def _count(attempt: Attempt, model: Model, ask: Ask, text: str) -> None:
    """Put into an attempt what it used: the server's figures, or a guess from the lengths where it told none."""
    if attempt.prompt_tokens is None or attempt.completion_tokens is None:
        attempt.estimated = True
        if attempt.prompt_tokens is None:
            attempt.prompt_tokens = sum(len(m["content"]) for m in ask.messages) // _TOKEN
        if attempt.completion_tokens is None:
            attempt.completion_tokens = -(-len(text) // _TOKEN)
    attempt.cost_usd = model.cost(attempt.prompt_tokens, attempt.completion_tokens)


def _read(attempt: Attempt, answer: Completion, before: str | None) -> None:
    """Put into an attempt what its answer holds: a source, or why there is none."""
    if answer.leaked:
        attempt.error = LEAKED
        return
    if answer.trouble:
        attempt.error = f"The model gave no text: {answer.trouble}."
        return
    found = extract_bot(attempt.completion or "", before)
    attempt.source = found.source
    if answer.cut and not found.closed:
        attempt.error = "The answer was cut off at the length limit (OPENAI_MAX_TOKENS, OPENAI_MAX_TOKENS_LIMIT)."
    elif found.source is not None and not found.closed and _FENCE.search(answer.text) and _breaks_off(found.source):
        # Some servers cut at the end of their context and call it a whole answer.
        attempt.error = "The answer was cut off within its code, though the server calls it whole."


def _breaks_off(source: str) -> bool:
    """Tell whether a source ends in the middle of a statement."""
    try:
        parse(source)
    except SyntaxError as error:
        open_end = re.search("never closed|unterminated triple", str(error.msg)) is not None
        return open_end or (error.lineno or 0) >= len(source.rstrip().splitlines())
    except ValueError:
        return False
    return False


def joined(begun: str, rest: str) -> str:
    """Return an answer that was cut off, with what went on; a model that began anew is taken as it is.

    Some open the code block again, or repeat the line that they stopped in.
    """
    whole = extract_bot(rest)
    if whole.closed and whole.source is not None and "def on_tick" in whole.source:
        return rest
    rest = re.sub(r"\A\s*(?:```|~~~)[\w+-]*[ \t]*\n", "", rest)
    for length in range(min(len(begun), len(rest), _MOST_REPEATED), _LEAST_REPEATED - 1, -1):
        if begun.endswith(rest[:length]):
            return begun + rest[length:]
    return begun + rest


def cause_in(completion: str) -> str | None:
    """Return what a repair says of the cause: the words before its first block of code."""
    said = re.sub(r"(?s)<think(?:ing)?>.*?</think(?:ing)?>", "", completion)
    before, fence, _ = re.split(r"(?m)^\s*(```|~~~)", f"{said}\n", maxsplit=1) if _FENCE.search(said) else ("", "", "")
    return clean_line(" ".join(before.split()), _MAX_CAUSE) or None if fence else None


_FENCE = re.compile(r"(?m)^\s*(?:```|~~~)")


def diff_of(before: str | None, source: str | None) -> str | None:
    """Return the unified diff between two sources, None where one is missing or nothing has changed."""
    if before is None or source is None:
        return None
    lines = difflib.unified_diff(before.splitlines(), source.splitlines(), "before", "after", lineterm="", n=2)
    return "\n".join(lines)[:_MAX_DIFF] or None
