"""Submissions as rows: taken in, moved through the state table, every attempt kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from arena.core.text import clean_line, clean_name
from arena.errors import NotFoundError, RefusedError
from arena.store.models import Attempt, Bot, Submission
from arena.store.seasons import new_id
from arena.submissions.states import FINAL, Status, check_move

Listener = Callable[[dict[str, Any]], None]


class SubmissionStore:
    """Reads and writes submissions and tells a listener about every move."""

    def __init__(self, database: Database, on_change: Listener) -> None:
        self._database = database
        self._on_change = on_change

    def take(
        self, prompt: str, *, author: str, model: str, name: str | None = None,
        group_id: str | None = None, idempotency_key: str | None = None, request_hash: str | None = None,
    ) -> tuple[Submission, bool]:  # fmt: skip
        """Store a prompt and return its row, and whether it is new: a key is used once.

        RefusedError where the key has been used for another request.
        """
        now = time.time()
        row = Submission(
            id=new_id(), group_id=group_id, idempotency_key=idempotency_key, request_hash=request_hash,
            prompt=prompt.replace("\0", ""),  # PostgreSQL keeps no NUL in a text
            name=clean_name(name) if name else None, author=clean_name(author) or "local",
            model=clean_line(model, 200), status=Status.QUEUED, created_at=now, updated_at=now,
        )  # fmt: skip
        with Session(self._database, expire_on_commit=False) as session:
            if idempotency_key is not None and (known := self._by_key(session, idempotency_key)):
                return _same_request(known, request_hash), False
            session.add(row)
            try:
                session.commit()
            except IntegrityError:
                session.rollback()
                known = self._by_key(session, idempotency_key or "")
                if known is None:
                    raise
                return _same_request(known, request_hash), False
        return row, True

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
            check_move(Status(row.status), status)
            row.status, row.updated_at = status, time.time()
            row.reason = clean_line(reason, 2000) if reason else row.reason
            row.bot_id = bot_id or row.bot_id
            session.add(row)
            session.commit()
        self._on_change({"id": submission_id, "status": str(status)})

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
        return {**submission_document(row), "attempts": attempts}

    def last_attempt(self, submission_id: str) -> Attempt | None:
        """Return the newest stored answer of a submission."""
        with Session(self._database, expire_on_commit=False) as session:
            query = select(Attempt).where(Attempt.submission_id == submission_id).order_by(col(Attempt.n).desc())
            return session.exec(query).first()

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
    }  # fmt: skip
