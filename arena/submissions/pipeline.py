"""A prompt becomes a bot: generate, extract, check, repair, trial run, admit.

A few threads work the queue; every step is written before the next begins, so that a restart can
take up what was under way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from arena.core.text import clean_line, clean_name
from arena.engine.backtest.run import hash_source
from arena.errors import ConflictError, GenerationError
from arena.llm.client import Completion, ContextTooSmallError, Message
from arena.llm.template import NotUnderstood, Purse, write_bot
from arena.store.models import Attempt, Submission
from arena.store.seasons import NewBot
from arena.submissions import prompt_text as words
from arena.submissions.extract import extract_bot
from arena.submissions.fair import FairQueue, Gate, StoppingError
from arena.submissions.intake import Examined, Intake, problem
from arena.submissions.states import Status
from arena.submissions.store import SubmissionStore

log = logging.getLogger("arena.submissions")

TEMPLATE = "template"
LEAKED = "The answer repeats the arena's key of the model server; it was masked, and the bot is refused."
_WORKERS = 2
# Seconds that a season's end waits for bots on trial.
_PATIENCE = 30.0


class Writer(Protocol):
    """A model server."""

    def complete(self, model: str, messages: Sequence[Message], *, room: float = 1.0) -> Completion:
        """Return an answer of `room` times the usual length, or raise GenerationError with a sentence."""


@dataclass(slots=True)
class Rejected(Exception):  # noqa: N818 - the end of a submission, not an error of ours
    """The submission ends: the program, or the prompt, is not good enough."""

    reason: str


class Pipeline:
    """Works submissions off; `submit` hands one in. It outlives the seasons, so that no answer is asked for twice."""

    def __init__(
        self, desk: SubmissionStore, intake: Intake, writer: Writer | None, facts: words.SeasonFacts, max_repairs: int
    ) -> None:  # fmt: skip
        self._desk = desk
        self._intake = intake
        self._writer = writer
        self._facts = facts
        self._max_repairs = max_repairs
        self._queue = FairQueue()
        self._season = Gate()
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
        self._queue.put(self._desk.get(submission_id).author, submission_id)

    def leave_season(self) -> None:
        """Admit nothing more until `enter_season`; what is being written goes on, and waits at the door."""
        if not self._season.shut(_PATIENCE):
            log.warning("A bot is still being tried while its season ends.")

    def enter_season(self, intake: Intake, facts: words.SeasonFacts) -> None:
        """Admit to another season from now on."""
        self._intake, self._facts = intake, facts
        self._season.open()

    def stop(self) -> None:
        """Let the workers end; what they are at is taken up at the next start."""
        self._stopping.set()
        self._queue.close()
        self._season.abandon()
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
        except StoppingError:
            log.info("Submission %s is taken up again at the next start", submission_id)
        except Exception as error:
            if self._stopping.is_set():
                log.info("Submission %s is taken up again at the next start", submission_id)
                return
            self._desk.move(submission_id, Status.FAILED, reason=f"A fault of the arena: {error}")
            raise

    def _run(self, submission: Submission) -> None:
        bot_id = self._desk.enrolled_bot(submission.id)
        if bot_id is not None:
            # A crash came between its enrolment and this last word.
            self._desk.move(submission.id, Status.ADMITTED, bot_id=bot_id)
            return
        attempt = self._stored_answer(submission)
        if attempt is None:
            self._desk.move(submission.id, Status.GENERATING)
            attempt = self._first_attempt(submission)
        room = 1.0
        while True:
            self._desk.move(submission.id, Status.VALIDATING)
            violations = self._examine_and_admit(submission, attempt)
            if not violations:
                return
            self._repair_or_reject(submission, attempt, violations)
            room = room * 2 if any(v["rule"] == "cut-off" for v in violations) else room
            attempt = self._next_attempt(submission, attempt, violations, room)

    def _stored_answer(self, submission: Submission) -> Attempt | None:
        """Return an answer of a model that was stored before a stop: it is not paid for twice."""
        if submission.model == TEMPLATE:
            return None
        stored = self._desk.last_attempt(submission.id)
        return stored if stored is not None and stored.completion is not None else None

    def _first_attempt(self, submission: Submission) -> Attempt:
        if submission.model == TEMPLATE:
            return self._from_template(submission)
        return self._from_model(submission, 1, words.conversation(self._facts, submission.prompt))

    def _next_attempt(
        self, submission: Submission, last: Attempt, violations: list[dict[str, Any]], room: float
    ) -> Attempt:
        messages = words.conversation(self._facts, submission.prompt, last.completion or "", violations)
        try:
            return self._from_model(submission, last.n + 1, messages, before=last.source, room=room)
        except ContextTooSmallError:
            # Without the answer itself, its faults alone may still fit.
            messages = words.conversation(self._facts, submission.prompt, "", violations)
            return self._from_model(submission, last.n + 1, messages, room=room)

    def _repair_or_reject(self, submission: Submission, attempt: Attempt, violations: list[dict[str, Any]]) -> None:
        last = submission.model == TEMPLATE or attempt.n > self._max_repairs
        if last:
            first = violations[0]
            raise Rejected(f"Line {first['line']}: {first['message']} {first['hint']}")
        self._desk.move(submission.id, Status.REPAIRING)

    # -- writing ------------------------------------------------------------------------------------------

    def _from_template(self, submission: Submission) -> Attempt:
        purse = Purse(self._facts.cash, self._intake.prices)
        written = write_bot(submission.prompt, self._facts.symbols, self._facts.interval, purse)
        if isinstance(written, NotUnderstood):
            raise Rejected(written.reason)
        prompt_hash = words.hash_messages([{"role": "user", "content": submission.prompt}])
        attempt = Attempt(
            submission_id=submission.id, n=1, model=TEMPLATE, prompt_hash=prompt_hash,
            completion=written.summary, source=written.source,
        )  # fmt: skip
        self._desk.save_attempt(attempt)
        return attempt

    def _from_model(
        self, submission: Submission, n: int, messages: Sequence[Message], *,
        before: str | None = None, room: float = 1.0,
    ) -> Attempt:  # fmt: skip
        if self._writer is None:
            raise GenerationError("No model is configured: set OPENAI_MODEL and OPENAI_BASE_URL or a key.")
        attempt = Attempt(
            submission_id=submission.id, n=n, model=submission.model,
            prompt_hash=words.hash_messages(messages),
        )  # fmt: skip
        try:
            answer = self._writer.complete(submission.model, messages, room=room)
        except GenerationError as error:
            attempt.error = clean_line(str(error), 2000)
            self._desk.save_attempt(attempt)
            raise
        attempt.model, attempt.seconds = answer.model, answer.seconds
        attempt.completion = answer.text.replace("\0", "")
        attempt.prompt_tokens, attempt.completion_tokens = answer.prompt_tokens, answer.completion_tokens
        self._read(attempt, answer, before)
        self._desk.save_attempt(attempt)
        if answer.leaked:
            raise Rejected(LEAKED)
        return attempt

    @staticmethod
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

    # -- examining and admitting --------------------------------------------------------------------------

    def _examine_and_admit(self, submission: Submission, attempt: Attempt) -> list[dict[str, Any]]:
        """Return what is wrong with an attempt, or admit it; both in one season."""
        with self._season:
            examined = self._examine(submission, attempt)
            if examined.accepted:
                if self._intake.is_over:
                    raise ConflictError("The season is closed: start a new one, then send the strategy again.")
                self._admit(submission, attempt, examined)
        return examined.violations

    def _examine(self, submission: Submission, attempt: Attempt) -> Examined:
        examined = self._examined(submission, attempt)
        if examined.accepted and submission.model != TEMPLATE:
            examined.violations = list(examined.findings)
            if examined.raises_mostly:
                hint = "Correct the error; on_tick must run at every tick, also before there is history."
                message = f"Most ticks raise: {examined.raises_mostly}"
                examined.violations = [problem("trial-run", message, hint), *examined.findings]
        attempt.violations = examined.violations
        self._desk.save_attempt(attempt)
        return examined

    def _examined(self, submission: Submission, attempt: Attempt) -> Examined:
        if attempt.error:
            cut = "cut off" in attempt.error or "used up its length" in attempt.error
            hint = "Answer with one fenced ```python block that holds the whole file."
            if cut:
                hint = "Write a shorter bot, so that the whole file fits into the answer."
            return Examined([problem("cut-off" if cut else "no-code", attempt.error, hint)])
        if attempt.source is None:
            hint = "Answer with one fenced ```python block that holds the whole file."
            said = clean_line(attempt.completion or "", 200)
            return Examined([problem("no-code", f"The answer holds no bot; it says: {said}", hint)])
        source = attempt.source.encode("utf-8", "replace")
        examined = self._intake.examine(source, before_trial=lambda: self._desk.move(submission.id, Status.TESTING))
        if submission.model != TEMPLATE:
            examined.warnings[:0] = extract_bot(attempt.completion or "").notes
        return examined

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
