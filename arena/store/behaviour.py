"""Stored reports on what bots do, and the versions that were asked for in words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from arena.store.models import BehaviourReport, Bot, Revision, SampleGroup


def save_report(engine: Engine, subject: str, document: dict[str, Any]) -> None:
    """Keep the newest report on a bot or a submission."""
    with Session(engine) as session:
        session.merge(BehaviourReport(subject=subject, created_at=time.time(), document=document))
        session.commit()


def report_of(engine: Engine, subject: str) -> dict[str, Any] | None:
    """Return the report on a bot or a submission, None where there is none yet."""
    with Session(engine) as session:
        found = session.get(BehaviourReport, subject)
        return None if found is None else dict(found.document)


def revision_of(engine: Engine, submission_id: str) -> Revision | None:
    """Return what a submission starts from, None where it starts afresh."""
    with Session(engine, expire_on_commit=False) as session:
        return session.get(Revision, submission_id)


def lineage(engine: Engine, bot_id: str) -> list[tuple[Bot, Revision | None]]:
    """Return a bot's line from the first version on: each bot with the words that led to it, then what came of it."""
    with Session(engine, expire_on_commit=False) as session:
        line: list[tuple[Bot, Revision | None]] = []
        bot = session.get(Bot, bot_id)
        while bot is not None and all(bot.id != known.id for known, _ in line):
            revision = session.get(Revision, bot.submission_id) if bot.submission_id else None
            line.insert(0, (bot, revision))
            bot = session.get(Bot, revision.parent_id) if revision is not None else None
        todo: Sequence[str] = [bot_id]
        while todo:
            query = (
                select(Bot, Revision)
                .where(Bot.submission_id == Revision.submission_id, col(Revision.parent_id).in_(todo))
                .order_by(col(Bot.id))
            )
            children = [(child, revision) for child, revision in session.exec(query).all()]
            known_ids = {known.id for known, _ in line}
            fresh = [(child, revision) for child, revision in children if child.id not in known_ids]
            line += fresh
            todo = [child.id for child, _ in fresh]
        session.expunge_all()
    return line


def sample_group(engine: Engine, group_id: str) -> SampleGroup | None:
    """Return what is known of a request for several samples."""
    with Session(engine, expire_on_commit=False) as session:
        return session.get(SampleGroup, group_id)


def open_questions(engine: Engine) -> list[SampleGroup]:
    """Return the requests for samples whose question is not answered yet."""
    with Session(engine, expire_on_commit=False) as session:
        found = session.exec(select(SampleGroup).where(col(SampleGroup.chosen).is_(None))).all()
    return [group for group in found if group.document.get("choices")]


def save_group(engine: Engine, group: SampleGroup) -> None:
    """Keep what is known of a request for several samples."""
    with Session(engine, expire_on_commit=False) as session:
        session.merge(group)
        session.commit()
