"""A prompt becomes a bot: generate, extract, check, repair, trial run, admit.

A few threads work the queue; every step is written before the next begins, so that a restart can
take up what was under way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from arena.core.text import clean_line, clean_name
from arena.engine.backtest.run import hash_source
from arena.engine.live.broadcast import Broadcast
from arena.errors import ConflictError, GenerationError
from arena.llm.client import CallCancelledError, ContextTooSmallError, Message
from arena.llm.models import TEMPLATE, Models
from arena.llm.template import NotUnderstood, Purse, write_bot
from arena.store.models import Attempt, Submission
from arena.store.seasons import NewBot
from arena.submissions import prompt_text as words
from arena.submissions.budgets import Budgets
from arena.submissions.extract import extract_bot
from arena.submissions.fair import FairQueue, Gate, StoppingError
from arena.submissions.intake import Examined, Intake, problem
from arena.submissions.samples import Samples
from arena.submissions.states import FINAL, Status
from arena.submissions.store import CancelledError, SubmissionStore, Wanted
from arena.submissions.writing import LEAKED, Ask, CallListener, Writing

log = logging.getLogger("arena.submissions")

# Bots that are checked and tried at once, however many models write.
_EXAMINED_AT_ONCE = 2
_MOST_WORKERS = 32
# How often a submission is begun anew after a failure of ours.
_FAULTS = 2
_FRESH_TEMPERATURE = 0.8
# Seconds after which open questions are looked at again, if nothing else says so.
_PAUSE = 30.0
# Seconds that a season's end waits for bots on trial.
_PATIENCE = 30.0


@dataclass(slots=True)
class Rejected(Exception):  # noqa: N818 - the end of a submission, not an error of ours
    """The submission ends: the program, or the prompt, is not good enough."""

    reason: str


class Pipeline:
    """Works submissions off; `hand_in` takes them. It outlives the seasons, so that no answer is asked for twice.

    `live` tells moves and the text of answers while they are written.
    """

    def __init__(
        self, desk: SubmissionStore, intake: Intake, models: Models, budgets: Budgets, facts: words.SeasonFacts,
        max_repairs: int, live: Broadcast, samples: Samples, on_call: CallListener | None = None,
    ) -> None:  # fmt: skip
        self.models = models
        self.budgets = budgets
        self.live = live
        self.samples = samples
        self._desk = desk
        self._intake = intake
        self._writing = Writing(desk, models, live, on_call)
        self._facts = facts
        self._max_repairs = max_repairs
        self._queue = FairQueue()
        self._season = Gate()
        self._examining = threading.BoundedSemaphore(_EXAMINED_AT_ONCE)
        self._admitting: set[str] = set()
        self._admission = threading.Lock()
        self._settling = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._asked = threading.Event()

    def start(self) -> None:
        """Start the workers and take up what a restart left unfinished."""
        # Besides those that write, some wait for their examination or come from the template.
        for number in range(min(_MOST_WORKERS, self.models.at_once + 2 * _EXAMINED_AT_ONCE)):
            thread = threading.Thread(target=self._work, name=f"submissions-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        thread = threading.Thread(target=self._decide, name="questions", daemon=True)
        thread.start()
        self._threads.append(thread)
        for submission_id in self._desk.unfinished():
            self._enqueue(self._desk.get(submission_id))

    def hand_in(
        self, wanted: Sequence[Wanted], group_id: str | None = None, allow: Callable[[], object] = lambda: None
    ) -> list[Submission]:
        """Store the submissions of a request and queue those that are new; BusyError where there is no room.

        `allow` raises where a new one is beyond what its owner may hand in.
        """
        author, models = wanted[0].author, [one.model for one in wanted]

        def allowed() -> None:
            self.budgets.refuse_beyond(clean_name(author) or "local", models)
            allow()

        rows, new = self._desk.take(wanted, group_id=group_id, allow=allowed)
        if new:
            for row in rows:
                self._enqueue(row)
        return rows

    def _enqueue(self, submission: Submission) -> None:
        self._queue.put(submission.author, submission.id, self.models.lane(submission.model))

    def cancel(self, submission_id: str) -> None:
        """End a submission and the call of a model that is under way for it; ConflictError where it has ended."""
        with self._admission:
            if submission_id in self._admitting:
                raise ConflictError("The bot is being admitted at this moment: pause or retire it instead.")
            self._desk.cancel(submission_id)
        self._queue.withdraw(submission_id)
        self._writing.cancel(submission_id)
        self.settle(submission_id)

    def text_of(self, submission_id: str) -> dict[str, object] | None:
        """Return the text of the answer that is under way, None where none is."""
        return self._writing.text_of(submission_id)

    def leave_season(self) -> None:
        """Admit nothing more until `enter_season`; what is being written goes on, and waits for that."""
        if not self._season.shut(_PATIENCE):
            log.warning("A bot is still being tried while its season ends.")

    def enter_season(self, intake: Intake, facts: words.SeasonFacts) -> None:
        """Admit to another season from now on."""
        self._intake, self._facts = intake, facts
        self._season.open()

    def stop(self) -> None:
        """Let the workers end; what they are at is taken up at the next start."""
        self._stopping.set()
        self._asked.set()
        self._queue.close()
        self._season.abandon()
        self._writing.cancel_all()
        self.live.close()
        end = time.monotonic() + 2
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (submission_id := self._queue.get()) is not None and not self._stopping.is_set():
            again = False
            try:
                again = self._process(submission_id)
                if not again:
                    self.settle(submission_id)
            except Exception:
                log.exception("Submission %s cannot go on because of a fault of ours", submission_id)
                # Even its state could not be written: the database is away.
                again = not self._stopping.wait(1.0)
            finally:
                self._queue.done(submission_id)
            if again:
                self._begin_anew(submission_id)

    def settle(self, submission_id: str) -> None:
        """Compare the samples of a submission's request where all of them have ended; once."""
        with self._settling:
            self.samples.settle(self._desk.get(submission_id), self._intake)
        self._asked.set()

    def _decide(self) -> None:
        """Decide questions that nobody answers in time."""
        while not self._stopping.is_set():
            self._asked.clear()
            pause = _PAUSE
            try:
                with self._settling:
                    due = self.samples.decide(self._intake)
                if due is not None:
                    pause = min(pause, max(0.0, due - time.time()))
            except Exception:
                # Between two seasons, or while the database is away, nothing can be decided.
                log.exception("Questions about samples cannot be decided at present")
            self._asked.wait(pause)

    def answer(self, submission_id: str, choice: int) -> dict[str, Any]:
        """Keep the samples of one choice; return what was asked, and the choice."""
        with self._settling:
            group = self.samples.answer(submission_id, choice, self._intake)
        return {**group.document, "chosen": group.chosen}

    def _begin_anew(self, submission_id: str) -> None:
        try:
            submission = self._desk.get(submission_id)
        except Exception:
            log.exception("Submission %s is taken up again at the next start", submission_id)
            return
        if submission.status not in FINAL:
            self._enqueue(submission)

    # -- one submission -----------------------------------------------------------------------------------

    def _process(self, submission_id: str) -> bool:
        """Take one submission to its end, or say that it is to be begun anew."""
        try:
            self._run(self._desk.get(submission_id))
        except Rejected as end:
            self._end(submission_id, Status.REJECTED, end.reason)
        except (CancelledError, CallCancelledError, StoppingError):
            log.info("Submission %s was cancelled, or is taken up again at the next start", submission_id)
        except (GenerationError, ConflictError) as error:
            self._end(submission_id, Status.FAILED, str(error))
        except Exception as error:
            if self._stopping.is_set():
                log.info("Submission %s is taken up again at the next start", submission_id)
                return False
            log.exception("Submission %s has met a fault of ours", submission_id)
            if self._desk.count_fault(submission_id) <= _FAULTS:
                self._end(submission_id, Status.QUEUED, None)
                return True
            self._end(submission_id, Status.FAILED, f"A fault of the arena: {error}")
        return False

    def _end(self, submission_id: str, status: Status, reason: str | None) -> None:
        try:
            self._desk.move(submission_id, status, reason=reason)
        except CancelledError:
            log.info("Submission %s was cancelled", submission_id)

    def _run(self, submission: Submission) -> None:
        if submission.status in FINAL:
            return
        bot_id = self._desk.enrolled_bot(submission.id)
        if bot_id is not None:
            # A crash came between its enrolment and this last word.
            self._desk.move(submission.id, Status.ADMITTED, bot_id=bot_id)
            return
        attempts = self._desk.attempts(submission.id)
        # An answer of a model that was stored before a stop is not paid for twice.
        if submission.model == TEMPLATE or not any(one.completion is not None for one in attempts):
            self._desk.move(submission.id, Status.GENERATING)
            attempts.append(self._first_attempt(submission, attempts))
        while True:
            self._queue.leave(submission.id)
            attempt = next(one for one in reversed(attempts) if one.completion is not None)
            if attempt.error == LEAKED:
                raise Rejected(LEAKED)
            self._desk.move(submission.id, Status.VALIDATING)
            violations = self._examine_and_admit(submission, attempt)
            if not violations:
                return
            kind = self._next_kind(submission, attempts, attempt, violations)
            self._desk.move(submission.id, Status.REPAIRING)
            self._queue.enter(submission.id)
            attempts.append(self._next_attempt(submission, attempts, violations, kind))

    def _first_attempt(self, submission: Submission, attempts: Sequence[Attempt]) -> Attempt:
        if submission.model == TEMPLATE:
            return self._from_template(submission)
        return self._writing.ask(submission, Ask(_next_number(attempts), "first", self._request_of(submission)))

    def _request_of(self, submission: Submission) -> list[Message]:
        """Return the conversation that asks for a bot, or for a new version of one."""
        parent = self._desk.parent_of(submission.id)
        if parent is None:
            return words.conversation(self._facts, submission.prompt)
        return words.revision_conversation(self._facts, submission.prompt, self._intake.material(parent))

    def _next_kind(
        self, submission: Submission, attempts: Sequence[Attempt], last: Attempt, violations: list[dict[str, Any]]
    ) -> str:
        """Return what is asked for: that a cut answer goes on, a repair, or a fresh sample; Rejected where nothing is.

        To go on with an answer is no repair.
        """
        first = violations[0]
        reason = f"Line {first['line']}: {first['message']} {first['hint']}".rstrip()
        answered = [one for one in attempts if one.completion is not None]
        cut = any(found["rule"] == "cut-off" for found in violations)
        goes_on = cut and last.kind != "continue" and "```" in (last.completion or "")
        over = not self._max_repairs or any(one.kind == "fresh" for one in answered)
        if submission.model == TEMPLATE or (over and not goes_on):
            raise Rejected(reason)
        no_more = self.budgets.why_no_more(submission)
        if no_more is not None:
            raise Rejected(f"{reason} No repair was asked for: {no_more}.")
        if goes_on:
            return "continue"
        repairs = sum(one.kind == "repair" for one in answered)
        again = not cut and any(_same(one, last) for one in answered if one.n != last.n)
        return "fresh" if again or repairs >= self._max_repairs else "repair"

    def _next_attempt(
        self, submission: Submission, attempts: Sequence[Attempt], violations: list[dict[str, Any]], kind: str
    ) -> Attempt:
        last = next(one for one in reversed(attempts) if one.completion is not None)
        room = 2.0 ** sum(any(v["rule"] == "cut-off" for v in one.violations) for one in attempts)
        before = next((one.source for one in reversed(attempts) if one.source is not None), None)
        n, prompt = _next_number(attempts), submission.prompt
        if kind == "continue":
            begun = last.completion or ""
            messages = words.continued_conversation(self._request_of(submission), begun)
            try:
                return self._writing.ask(submission, Ask(n, kind, messages, before, room, begun=begun))
            except ContextTooSmallError:
                # What was written fills the context: it is asked for anew, and shorter.
                kind = "repair"
        if kind == "fresh":
            messages = self._request_of(submission)
            return self._writing.ask(submission, Ask(n, kind, messages, before, room, _FRESH_TEMPERATURE))
        messages = words.conversation(self._facts, prompt, last.completion or "", violations)
        try:
            return self._writing.ask(submission, Ask(n, kind, messages, before, room))
        except ContextTooSmallError:
            # Without the answer itself, its faults alone may still fit.
            messages = words.conversation(self._facts, prompt, "", violations)
            return self._writing.ask(submission, Ask(n, kind, messages, None, room))

    def _from_template(self, submission: Submission) -> Attempt:
        purse = Purse(self._facts.cash, self._intake.prices)
        facts = self._facts
        written = write_bot(submission.prompt, facts.symbols, facts.interval, purse, facts.delay_ticks)
        if isinstance(written, NotUnderstood):
            raise Rejected(written.reason)
        prompt_hash = words.hash_messages([{"role": "user", "content": submission.prompt}])
        attempt = Attempt(
            submission_id=submission.id, n=1, model=TEMPLATE, prompt_hash=prompt_hash,
            completion=written.summary, source=written.source, asked_at=time.time(), cost_usd=0.0,
        )  # fmt: skip
        self._desk.save_attempt(attempt)
        return attempt

    # -- examining and admitting --------------------------------------------------------------------------

    def _examine_and_admit(self, submission: Submission, attempt: Attempt) -> list[dict[str, Any]]:
        """Return what is wrong with an attempt, or admit it; both in one season."""
        with self._examining, self._season:
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
            if examined.accepted:
                self._find_misbehaviour(submission, attempt, examined)
        attempt.violations = examined.violations
        self._desk.save_attempt(attempt)
        return examined

    def _find_misbehaviour(self, submission: Submission, attempt: Attempt, examined: Examined) -> None:
        """Hold what the bot does against what was asked for; only hard findings keep it from being admitted."""
        parent = self._desk.parent_of(submission.id)
        if parent is not None and (attempt.source or "").strip() == self._intake.source_of(parent).strip():
            hint = "Change what the words ask for, and answer with the whole file."
            examined.violations = [problem("unchanged", "The new version is the bot as it was.", hint)]
            return
        # The words of a revision say what changes, and not all that the bot does.
        said = submission.prompt if parent is None else ""
        report = self._intake.behaviour(examined, attempt.source or "", said, attempt.completion or "")
        self._intake.keep_report(submission.id, report.as_dict())
        examined.violations = [each.as_violation() for each in report.hard]
        examined.warnings += [f"{each.message} {each.hint}" for each in report.unmet if not each.hard]

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
        if examined.trial is not None:
            self._desk.keep_trial(submission.id, examined.trial)
        if submission.model != TEMPLATE:
            examined.warnings[:0] = extract_bot(attempt.completion or "").notes
        return examined

    def _admit(self, submission: Submission, attempt: Attempt, examined: Examined) -> None:
        source = attempt.source or ""
        new = NewBot(
            name=clean_name(submission.name or "") or examined.name, author=submission.author,
            origin="generated", source=source, source_hash=hash_source(source.encode()),
            symbols=examined.symbols, model=attempt.model, submission_id=submission.id, owner_id=submission.owner_id,
        )  # fmt: skip
        with self._admission:
            if self._desk.get(submission.id).status == Status.CANCELLED:
                raise CancelledError("It was cancelled.")
            self._admitting.add(submission.id)
        try:
            bot = self._intake.admit(examined, new).bot
            report = self._intake.stored_report(submission.id)
            if report is not None:
                self._intake.keep_report(bot.id, report)
            warnings = " ".join(examined.warnings)
            self._desk.move(submission.id, Status.ADMITTED, bot_id=bot.id, reason=warnings or None)
        finally:
            with self._admission:
                self._admitting.discard(submission.id)


def _next_number(attempts: Sequence[Attempt]) -> int:
    return attempts[-1].n + 1 if attempts else 1


def _same(one: Attempt, other: Attempt) -> bool:
    """Tell whether two answers are the same: the same source, or the same words where there is none."""
    if one.source is not None or other.source is not None:
        return one.source == other.source
    return one.completion == other.completion
