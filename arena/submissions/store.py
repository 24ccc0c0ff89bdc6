"""Submissions as rows: taken in, moved through the state table, every attempt kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import func
from sqlmodel import Session, col, select

from arena.core.text import clean_line, clean_name
from arena.errors import ArenaError, BusyError, ConflictError, NotFoundError, RefusedError
from arena.store.behaviour import report_of, revision_of, save_report
from arena.store.models import Attempt, Bot, Revision, SampleGroup, Submission
from arena.store.seasons import new_id
from arena.submissions.states import FINAL, Status, check_move

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One submission as it is asked for."""

    prompt: str
    author: str
    model: str
    name: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    parent_id: str | None = None  # the bot that is to be changed
    keep: str = "all"  # of several samples: all, or one
    owner_id: str | None = None


class CancelledError(ArenaError):
    """The submission was cancelled while it was worked on."""


def _trial_subject(submission_id: str) -> str:
    return f"trial:{submission_id}"


class SubmissionStore:
    """Reads and writes submissions and tells a listener about every move.

    At most `max_open` may be under way, and half of them of one author.
    """

    def __init__(self, database: Database, on_change: Listener, max_open: int = 1 << 30) -> None:
        self._database = database
        self._on_change = on_change
        self._max_open = max_open
        self._taking = threading.Lock()

    def take(
        self, wanted: Sequence[Wanted], *, group_id: str | None = None, allow: Callable[[], object] = lambda: None
    ) -> tuple[list[Submission], bool]:
        """Store the submissions of one request, all or none; return their rows, and whether they are new.

        A request whose keys were used before gets the rows of then. `allow` raises where nothing may be taken now;
        BusyError where too many are under way, RefusedError where a key has been used for another request.
        """
        with self._taking, Session(self._database, expire_on_commit=False) as session:
            known = [self._by_key(session, one.idempotency_key) for one in wanted if one.idempotency_key is not None]
            earlier = [_same_request(row, wanted[0].request_hash) for row in known if row is not None]
            if earlier:
                return earlier, False
            self._refuse_beyond(session, wanted)
            allow()
            rows = [_row_of(one, group_id) for one in wanted]
            session.add_all(rows)
            session.add_all(
                Revision(submission_id=row.id, parent_id=one.parent_id, words=one.prompt, author=row.author,
                         created_at=row.created_at)
                for one, row in zip(wanted, rows, strict=True) if one.parent_id is not None
            )  # fmt: skip
            if group_id is not None:
                session.add(SampleGroup(group_id=group_id, keep=wanted[0].keep))
            session.commit()
        return rows, True

    def parent_of(self, submission_id: str) -> str | None:
        """Return the bot that a submission changes, None where it starts afresh."""
        found = revision_of(self._database, submission_id)
        return None if found is None else found.parent_id

    def _refuse_beyond(self, session: Session, wanted: Sequence[Wanted]) -> None:
        """Raise BusyError where so many more would be too many."""
        is_open = col(Submission.status).not_in([str(status) for status in FINAL])
        count = select(func.count()).select_from(Submission).where(is_open)
        under_way = session.exec(count).one()
        if under_way + len(wanted) > self._max_open:
            raise BusyError(f"{under_way} strategies are under way and no more are taken now: try again later.", 15.0)
        own = session.exec(count.where(Submission.author == author_of(wanted[0].author))).one()
        share = max(1, self._max_open // 2)
        if own + len(wanted) > share:
            raise BusyError(
                f"{own} strategies of {author_of(wanted[0].author)} are under way, and {share} of one author may be: "
                "try again when some have ended.",
                15.0,
            )

    @staticmethod
    def _by_key(session: Session, key: str) -> Submission | None:
        return session.exec(select(Submission).where(Submission.idempotency_key == key)).first()

    def get(self, submission_id: str) -> Submission:
        """Return a submission; NotFoundError if there is none."""
        with Session(self._database, expire_on_commit=False) as session:
            row = session.get(Submission, submission_id)
        if row is None:
            raise NotFoundError(f"There is no submission {submission_id}.")
        return row

    def group(self, group_id: str) -> list[Submission]:
        """Return the submissions that were made by one request."""
        with Session(self._database, expire_on_commit=False) as session:
            query = select(Submission).where(Submission.group_id == group_id)
            return list(session.exec(query.order_by(col(Submission.id))).all())

    def move(
        self, submission_id: str, status: Status, *, reason: str | None = None, bot_id: str | None = None
    ) -> None:  # fmt: skip
        """Move a submission; a move that the table does not know is a fault of ours."""
        with Session(self._database) as session:
            row = session.get_one(Submission, submission_id)
            if row.status == Status.CANCELLED:
                raise CancelledError("It was cancelled.")
            check_move(Status(row.status), status)
            row.status, row.updated_at = status, time.time()
            row.reason = clean_line(reason, 2000) if reason else row.reason
            row.bot_id = bot_id or row.bot_id
            session.add(row)
            session.commit()
        self._on_change({"id": submission_id, "status": str(status)})

    def cancel(self, submission_id: str) -> bool:
        """Cancel a submission and say whether it was not cancelled before; ConflictError where it has ended."""
        status = Status(self.get(submission_id).status)
        if status is Status.CANCELLED:
            return False
        if status in FINAL:
            raise ConflictError(f"The submission has ended already: it is {status}.")
        self.move(submission_id, Status.CANCELLED, reason="Cancelled on request.")
        return True

    def count_fault(self, submission_id: str) -> int:
        """Count one more failure of ours at a submission and return how many there were."""
        with Session(self._database) as session:
            row = session.get_one(Submission, submission_id)
            row.faults += 1
            faults = row.faults
            session.add(row)
            session.commit()
        return faults

    def save_attempt(self, attempt: Attempt) -> None:
        """Store an attempt, or the same one with more known about it."""
        with Session(self._database, expire_on_commit=False) as session:
            session.merge(attempt)
            session.commit()

    def document(self, submission_id: str) -> dict[str, Any]:
        """Return a submission with its attempts, as the API shows it."""
        row = self.get(submission_id)
        with Session(self._database) as session:
            query = select(Attempt).where(Attempt.submission_id == submission_id)
            attempts = [attempt_document(a) for a in session.exec(query.order_by(col(Attempt.n))).all()]
        trial = report_of(self._database, _trial_subject(submission_id))
        return {**submission_document(row), "attempts": attempts, "trial": trial}

    def keep_trial(self, submission_id: str, preview: dict[str, Any]) -> None:
        """Keep what the newest trial run looked like."""
        save_report(self._database, _trial_subject(submission_id), preview)

    def attempts(self, submission_id: str) -> list[Attempt]:
        """Return the stored attempts of a submission, the first one first."""
        with Session(self._database, expire_on_commit=False) as session:
            query = select(Attempt).where(Attempt.submission_id == submission_id).order_by(col(Attempt.n))
            return list(session.exec(query).all())

    def enrolled_bot(self, submission_id: str) -> str | None:
        """Return the id of the bot that a submission has become, None if it has not."""
        with Session(self._database) as session:
            return session.exec(select(Bot.id).where(Bot.submission_id == submission_id)).first()

    def unfinished(self) -> list[str]:
        """Return what a restart has to take up again, put back to `queued`."""
        with Session(self._database) as session:
            query = select(Submission).where(col(Submission.status).not_in([str(s) for s in FINAL]))
            rows = session.exec(query.order_by(col(Submission.id))).all()
            for row in rows:
                row.status = Status.QUEUED
                session.add(row)
            found = [row.id for row in rows]
            session.commit()
        return found


def author_of(author: str) -> str:
    """Return an author's name as it is stored."""
    return clean_name(author) or "local"


def _row_of(wanted: Wanted, group_id: str | None) -> Submission:
    now = time.time()
    return Submission(
        id=new_id(), group_id=group_id, idempotency_key=wanted.idempotency_key, request_hash=wanted.request_hash,
        prompt=wanted.prompt.replace("\0", ""),  # PostgreSQL keeps no NUL in a text
        name=clean_name(wanted.name) if wanted.name else None, author=author_of(wanted.author),
        model=clean_line(wanted.model, 200), status=Status.QUEUED, created_at=now, updated_at=now,
        owner_id=wanted.owner_id,
    )  # fmt: skip


def _same_request(known: Submission, request_hash: str | None) -> Submission:
    if known.request_hash != request_hash:
        raise RefusedError("This Idempotency-Key was used for another request; use a new key for a new request.")
    return known


def submission_document(row: Submission) -> dict[str, Any]:
    """Return a submission without its attempts."""
    return {
        "id": row.id, "group_id": row.group_id, "prompt": row.prompt, "name": row.name,
        "author": row.author, "model": row.model, "status": row.status, "reason": row.reason,
        "bot_id": row.bot_id, "created_at": row.created_at, "updated_at": row.updated_at,
    }  # fmt: skip


def attempt_document(row: Attempt) -> dict[str, Any]:
    """Return an attempt as the API shows it."""
    usage = {"prompt_tokens": row.prompt_tokens, "completion_tokens": row.completion_tokens}
    return {
        "n": row.n, "model": row.model, "completion": row.completion, "source": row.source,
        "violations": row.violations, "usage": usage, "seconds": row.seconds,
        "error": row.error, "prompt_hash": row.prompt_hash,
        "kind": row.kind, "temperature": row.temperature, "cost_usd": row.cost_usd, "estimated": row.estimated,
        "cause": row.cause, "diff": row.diff, "asked_at": row.asked_at or None,
    }  # fmt: skip
