"""Hosts: other machines that may play bots, and their leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table of hosts."""
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


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("hosts")
