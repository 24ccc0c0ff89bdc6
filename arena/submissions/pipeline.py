"""A prompt becomes a bot: generate, extract, check, repair, trial run, admit.

A few threads work the queue; every step is written before the next begins, so that a restart can
take up what was under way.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from arena.core.text import clean_line, clean_name
from arena.engine.backtest import hash_source
from arena.errors import ConflictError, GenerationError
from arena.llm.client import Completion, Message
from arena.llm.template import NotUnderstood, write_bot
from arena.store.models import Attempt, Submission
from arena.store.seasons import NewBot
from arena.submissions import words
from arena.submissions.desk import Desk
from arena.submissions.extract import extract
from arena.submissions.intake import Examined, Intake, problem
from arena.submissions.states import Status

log = logging.getLogger("arena.submissions")

TEMPLATE = "template"
_WORKERS = 2


class Writer(Protocol):
    """A model server."""

    def complete(self, model: str, messages: Sequence[Message]) -> Completion:
        """Return an answer, or raise GenerationError with a sentence."""


@dataclass(slots=True)
class Rejected(Exception):  # noqa: N818 - the end of a submission, not an error of ours
    """The submission ends: the program, or the prompt, is not good enough."""

    reason: str


class Pipeline:
    """Works submissions off; `submit` hands one in."""

    def __init__(
        self, desk: Desk, intake: Intake, writer: Writer | None, facts: words.SeasonFacts, max_repairs: int
    ) -> None:  # fmt: skip
        self._desk = desk
        self._intake = intake
        self._writer = writer
        self._facts = facts
        self._max_repairs = max_repairs
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the workers and take up what a restart left unfinished."""
        for number in range(_WORKERS):
            thread = threading.Thread(target=self._work, name=f"submissions-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        for submission_id in self._desk.unfinished():
            self.submit(submission_id)

    def submit(self, submission_id: str) -> None:
        """Queue a stored submission."""
        self._queue.put(submission_id)

    def stop(self) -> None:
        """Let the workers end; what they are at is taken up at the next start."""
        self._stopping.set()
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + 2
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (submission_id := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self.process(submission_id)
            except Exception:
                log.exception("Submission %s has failed because of a fault of ours", submission_id)

    # -- one submission -----------------------------------------------------------------------------------

    def process(self, submission_id: str) -> None:
        """Take one submission to its end."""
        submission = self._desk.get(submission_id)
        try:
            self._run(submission)
        except Rejected as end:
            self._desk.move(submission_id, Status.REJECTED, reason=end.reason)
        except (GenerationError, ConflictError) as error:
            self._desk.move(submission_id, Status.FAILED, reason=str(error))
        except Exception as error:
            if self._stopping.is_set():
                log.info("Submission %s is taken up again at the next start", submission_id)
                return
            self._desk.move(submission_id, Status.FAILED, reason=f"A fault of the arena: {error}")
            raise

    def _run(self, submission: Submission) -> None:
        self._desk.move(submission.id, Status.GENERATING)
        if submission.model == TEMPLATE:
            attempt, messages = self._from_template(submission), []
        else:
            messages = [words.system_message(self._facts), words.request_message(submission.prompt)]
            attempt = self._from_model(submission, 1, messages)
        while True:
            self._desk.move(submission.id, Status.VALIDATING)
            examined = self._examine(submission, attempt)
            if examined.accepted:
                break
            self._repair_or_reject(submission, attempt, examined)
            messages = [*messages, *words.repair_messages(attempt.completion or "", examined.violations)]
            attempt = self._from_model(submission, attempt.n + 1, messages)
        self._admit(submission, attempt, examined)

    def _repair_or_reject(self, submission: Submission, attempt: Attempt, examined: Examined) -> None:
        last = submission.model == TEMPLATE or attempt.n > self._max_repairs
        if last:
            first = examined.violations[0]
            raise Rejected(f"Line {first['line']}: {first['message']} {first['hint']}")
        self._desk.move(submission.id, Status.REPAIRING)

    # -- writing ------------------------------------------------------------------------------------------

    def _from_template(self, submission: Submission) -> Attempt:
        written = write_bot(submission.prompt, self._facts.symbols, self._facts.interval)
        if isinstance(written, NotUnderstood):
            raise Rejected(written.reason)
        prompt_hash = words.hash_messages([{"role": "user", "content": submission.prompt}])
        attempt = Attempt(
            submission_id=submission.id, n=1, model=TEMPLATE, prompt_hash=prompt_hash,
            completion=written.summary, source=written.source,
        )  # fmt: skip
        self._desk.save_attempt(attempt)
        return attempt

    def _from_model(self, submission: Submission, n: int, messages: Sequence[Message]) -> Attempt:
        if self._writer is None:
            raise GenerationError("No model is configured: set OPENAI_MODEL and OPENAI_BASE_URL or a key.")
        attempt = Attempt(
            submission_id=submission.id, n=n, model=submission.model,
            prompt_hash=words.hash_messages(messages),
        )  # fmt: skip
        try:
            answer = self._writer.complete(submission.model, messages)
        except GenerationError as error:
            attempt.error = clean_line(str(error), 2000)
            self._desk.save_attempt(attempt)
            raise
        attempt.model, attempt.seconds = answer.model, answer.seconds
        attempt.completion = answer.text.replace("\0", "")
        attempt.prompt_tokens, attempt.completion_tokens = answer.prompt_tokens, answer.completion_tokens
        attempt.source = extract(attempt.completion)
        if answer.cut:
            attempt.error = "The answer was cut off at the length limit."
        self._desk.save_attempt(attempt)
        return attempt

    # -- examining ----------------------------------------------------------------------------------------

    def _examine(self, submission: Submission, attempt: Attempt) -> Examined:
        examined = self._examined(submission, attempt)
        if examined.accepted and examined.raises_mostly and submission.model != TEMPLATE:
            hint = "Correct the error; on_tick must run at every tick, also before there is history."
            examined.violations = [problem("trial-run", f"Most ticks raise: {examined.raises_mostly}", hint)]
        attempt.violations = examined.violations
        self._desk.save_attempt(attempt)
        return examined

    def _examined(self, submission: Submission, attempt: Attempt) -> Examined:
        if attempt.source is None:
            hint = "Answer with one fenced ```python block that holds the whole file."
            return Examined([problem("no-code", "The answer holds no bot.", hint)])
        if attempt.error:
            hint = "Write a shorter bot, so that the whole file fits into the answer."
            return Examined([problem("cut-off", attempt.error, hint)])
        source = attempt.source.encode("utf-8", "replace")
        return self._intake.examine(source, before_trial=lambda: self._desk.move(submission.id, Status.TESTING))

    # -- admitting ----------------------------------------------------------------------------------------

    def _admit(self, submission: Submission, attempt: Attempt, examined: Examined) -> None:
        source = attempt.source or ""
        new = NewBot(
            name=clean_name(submission.name or "") or examined.name, author=submission.author,
            origin="generated", source=source, source_hash=hash_source(source.encode()),
            symbols=examined.symbols, model=attempt.model, submission_id=submission.id,
        )  # fmt: skip
        bot = self._intake.admit(examined, new).bot
        warnings = " ".join(examined.warnings)
        self._desk.move(submission.id, Status.ADMITTED, bot_id=bot.id, reason=warnings or None)


def model_choices(requested: Sequence[str], configured: str) -> list[str]:
    """Return the models of a request; none named means the configured one, or the template."""
    return list(requested) or [configured or TEMPLATE]
