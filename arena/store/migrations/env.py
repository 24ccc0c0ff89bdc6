"""Runs migrations on the connection that `arena.store.database.upgrade` hands over."""

from alembic import context
from sqlmodel import SQLModel

from arena.store import models, people, webhooks

assert models
assert people
assert webhooks

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
