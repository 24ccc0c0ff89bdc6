"""Keeps one bot of several samples: those that do the same count once, and a question tells the others apart.

Every sample is admitted as it is ready. Once all of a request have ended, what does the same as an earlier one is
retired; where several ways remain they play on until the question is answered, and then one is kept. A question that
nobody answers in time is decided: the largest group is taken, and that is said.
"""

from __future__ import annotations

import contextlib
import logging
import time

from sqlalchemy import Engine as Database

from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.store import queries
from arena.store.behaviour import open_questions, sample_group, save_group
from arena.store.models import SampleGroup, Submission
from arena.submissions.behaviour.clusters import Question, group_samples
from arena.submissions.behaviour.suite import Subject
from arena.submissions.behaviour.tapes import MarketSpec
from arena.submissions.intake import Intake
from arena.submissions.states import FINAL, Status
from arena.submissions.store import SubmissionStore
from sandbox.pool import Pool

log = logging.getLogger("arena.submissions")


class Samples:
    """Settles the groups of requests that asked for several samples and wanted one."""

    def __init__(self, database: Database, desk: SubmissionStore, pool: Pool, patience: float = 0.0) -> None:
        """`patience` is the seconds for which a question waits for its answer, 0 for ever."""
        self._patience = patience
        self._database = database
        self._desk = desk
        self._pool = pool

    def settle(self, submission: Submission, intake: Intake) -> None:
        """Compare the samples of a request once all of them have ended."""
        group = sample_group(self._database, submission.group_id) if submission.group_id else None
        if group is None or group.document or group.keep != "one":
            return
        rows = self._desk.group(group.group_id)
        if any(row.status not in FINAL for row in rows):
            return
        bots = list(dict.fromkeys(row.bot_id for row in rows if row.status == Status.ADMITTED and row.bot_id))
        subjects = [self._subject(intake, bot_id) for bot_id in bots]
        prices = intake.prices
        spec = MarketSpec(tuple(prices) or tuple(subjects[0].symbols if subjects else ("BTCUSDT",)), prices)
        found = group_samples(self._pool, subjects, spec, intake.rules) if len(subjects) > 1 else [0][: len(bots)]
        if isinstance(found, Question):
            clusters = [[bots[place] for place in each.members] for each in found.clusters]
            choices = [
                {"choice": n, "words": each.words, "bots": members}
                for n, (each, members) in enumerate(zip(found.clusters, clusters, strict=True), 1)
            ]
            answer_by = time.time() + self._patience if self._patience else None
            group.document = {"question": found.text, "choices": choices, "answer_by": answer_by}
        else:
            clusters = [bots] if bots else []
            group.document = {"question": None, "choices": []}
            group.chosen = 1 if clusters else None
        for members in clusters:
            for twin in members[1:]:
                intake.retire(twin)
        save_group(self._database, group)
        log.info("Samples of request %s do %d different things", group.group_id, len(clusters))

    def _subject(self, intake: Intake, bot_id: str) -> Subject:
        source = queries.source_of(self._database, bot_id)
        examined = intake.check(source.encode())
        return Subject(source, examined.name, examined.symbols, examined.program)

    def answer(self, submission_id: str, choice: int, intake: Intake) -> SampleGroup:
        """Keep the bot of one choice and retire those of the others; ConflictError where nothing is asked."""
        submission = self._desk.get(submission_id)
        group = sample_group(self._database, submission.group_id) if submission.group_id else None
        if group is None:
            raise NotFoundError("This submission is not one of several samples, so nothing is asked.")
        choices = (group.document or {}).get("choices", [])
        if not choices:
            raise ConflictError("Nothing is asked: the samples are still being written, or all do the same.")
        if group.chosen is not None:
            raise ConflictError(f"The question was answered already: with {group.chosen}.")
        if not 1 <= choice <= len(choices):
            raise RefusedError(f"'choice' must be a number from 1 to {len(choices)}.")
        self._keep(group, choice, intake)
        return group

    def decide(self, intake: Intake) -> float | None:
        """Decide the questions whose time is over; return when the next one is due, None where none waits."""
        now, later = time.time(), []
        for group in open_questions(self._database):
            due = group.document.get("answer_by")
            if due is None:
                continue
            if due > now:
                later.append(due)
                continue
            # The choices are in the order of their size.
            minutes = self._patience / 60.0
            said = f"Nobody answered within {minutes:g} minutes: what most of the samples do was taken."
            group.document = {**group.document, "decided": said}
            self._keep(group, 1, intake)
            log.info("Question of request %s: %s", group.group_id, said)
        return min(later, default=None)

    def _keep(self, group: SampleGroup, choice: int, intake: Intake) -> None:
        for each in group.document["choices"]:
            if each["choice"] != choice:
                # One that has been retired, or is not in this season, needs nothing more.
                with contextlib.suppress(NotFoundError, ConflictError):
                    intake.retire(each["bots"][0])
        group.chosen = choice
        save_group(self._database, group)
