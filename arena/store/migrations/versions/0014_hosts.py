"""Hosts: other machines that may play bots, and their leases; work that any machine may take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "hosts",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("token_hash", sa.String(), nullable=False, unique=True),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fence", _BIG, nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("bots", sa.Integer(), nullable=False),
        sa.Column("tick_seconds", sa.Float(), nullable=False),
        sa.Column("memory", _BIG, nullable=False),
        sa.Column("capacity", _BIG, nullable=False),
    )
    op.create_table(
        "farm_jobs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_farm_jobs_status", "farm_jobs", ["status", "id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("farm_jobs")
    op.drop_table("hosts")
