"""To whom a bot, a submission or a job belongs, and in whose name somebody hands in."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Engine, select

from arena.core.text import clean_name
from arena.errors import RefusedError
from arena.people.accounts import namesake
from arena.people.rights import Caller
from arena.store import queries
from arena.store.bulk import table_of
from arena.store.models import Bot, Job, Submission
from arena.store.webhooks import Webhook

_TABLES = {
    "bot": table_of(Bot), "submission": table_of(Submission), "job": table_of(Job), "webhook": table_of(Webhook)
}  # fmt: skip


class Kind(StrEnum):
    """What an address names."""

    BOT = "bot"
    SUBMISSION = "submission"
    JOB = "job"
    WEBHOOK = "webhook"


def owner_of(database: Engine, kind: Kind, season_id: str, name: str) -> str | None:
    """Return the id of an object's owner, None where it belongs to nobody; NotFoundError where there is no such bot.

    A bot may be given by name, as in every address; of a submission or a job that does not exist there is no owner.
    """
    if kind is Kind.BOT:
        name = queries.find_bot(database, season_id, name)
    table = _TABLES[kind]
    with database.connect() as connection:
        found = connection.execute(select(table.c.owner_id).where(table.c.id == name)).scalar()
    return None if found is None else str(found)


def author_for(database: Engine, caller: Caller, given: str) -> tuple[str, str | None]:
    """Return the author and the owner of what a caller hands in; RefusedError for the name of somebody else.

    A user's bots carry the user's name. An admin without an account may hand in for a user by naming the user.
    """
    wanted = clean_name(given) or "local"
    if caller.user_id is not None:
        if wanted not in {"local", caller.name}:
            raise RefusedError(f"What you hand in carries your name, '{caller.name}': leave out author.")
        return caller.name, caller.user_id
    known = namesake(database, wanted)
    if known is None:
        return wanted, None
    if known.name != wanted:
        raise RefusedError(f"The author '{wanted}' looks like the user '{known.name}'; write the name exactly.")
    return known.name, known.id
