"""Accounts, tokens, quotas, the record of what was done, and who owns what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from arena.core.names import skeleton

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Rows of what was done are added, never changed: the database itself refuses.
_SQLITE_TRIGGER = (
    "CREATE TRIGGER activity_no_{what} BEFORE {what} ON activity "
    "BEGIN SELECT RAISE(ABORT, 'activity is append-only'); END"
)
_POSTGRES_FUNCTION = (
    "CREATE FUNCTION activity_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'activity is append-only'; END $$"
)
_POSTGRES_TRIGGER = (
    "CREATE TRIGGER activity_append_only BEFORE UPDATE OR DELETE ON activity "
    "FOR EACH ROW EXECUTE FUNCTION activity_is_append_only()"
)


def _accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("skeleton", sa.String(), nullable=False, unique=True),
        sa.Column("admin", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("disabled_at", sa.Float(), nullable=True),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("user_id", sa.String(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("user_id", sa.String(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("user_id", sa.String(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
    )
    for table in ("sign_in_links", "sessions", "tokens"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _records() -> None:
    op.create_table(
        "quota_use",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("quota", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "quota", "day"),
    )
    op.create_table(
        "activity",
        sa.Column("n", _BIG, autoincrement=False, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRES_FUNCTION)
        op.execute(_POSTGRES_TRIGGER)
    else:
        for what in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_TRIGGER.format(what=what))


def _owners() -> None:
    for table in ("bots", "submissions", "jobs"):
        op.add_column(table, sa.Column("owner_id", sa.String(), nullable=True))
    op.create_index("ix_bots_owner_id", "bots", ["owner_id"])
    op.add_column("entries", sa.Column("disqualified", sa.Text(), nullable=True))
    op.add_column("bots", sa.Column("skeleton", sa.String(), nullable=False, server_default=""))
    bots = sa.table("bots", sa.column("name"), sa.column("skeleton"))
    connection = op.get_bind()
    for (name,) in connection.execute(sa.select(bots.c.name).distinct()).all():
        connection.execute(bots.update().where(bots.c.name == name).values(skeleton=skeleton(name)))
    op.create_index("ix_bots_skeleton", "bots", ["skeleton"])


def upgrade() -> None:
    """Add tables and columns; bots that are there belong to nobody, so that only an admin may change them."""
    _accounts()
    _records()
    _owners()


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_bots_skeleton", "bots")
    op.drop_index("ix_bots_owner_id", "bots")
    op.drop_column("bots", "skeleton")
    op.drop_column("entries", "disqualified")
    for table in ("jobs", "submissions", "bots"):
        op.drop_column(table, "owner_id")
    for table in ("activity", "quota_use", "tokens", "sessions", "sign_in_links", "users"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION activity_is_append_only()")
