"""Snapshots of what bots remember."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "snapshots",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("bot_id", sa.String(), nullable=False),
        sa.Column("tick", _BIG, nullable=False),
        sa.Column("saved_at", sa.Float(), nullable=False),
        sa.Column("runtime", sa.String(), nullable=False),
        sa.Column("source_hash", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_snapshots_season_bot", "snapshots", ["season_id", "bot_id", "tick"])


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("snapshots")
