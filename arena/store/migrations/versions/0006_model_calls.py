"""What each call of a model cost, how its answer differs from the one before, and how often we failed a submission."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("attempts", sa.Column("kind", sa.String(), nullable=False, server_default="first"))
    op.add_column("attempts", sa.Column("asked_at", sa.Float(), nullable=False, server_default="0"))
    op.add_column("attempts", sa.Column("temperature", sa.Float(), nullable=True))
    op.add_column("attempts", sa.Column("cost_usd", sa.Float(), nullable=True))
    op.add_column("attempts", sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("attempts", sa.Column("cause", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("diff", sa.Text(), nullable=True))
    op.create_index("ix_attempts_asked_at", "attempts", ["asked_at"])
    op.add_column("submissions", sa.Column("faults", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("submissions", "faults")
    op.drop_index("ix_attempts_asked_at", "attempts")
    for name in ("diff", "cause", "estimated", "cost_usd", "temperature", "asked_at", "kind"):
        op.drop_column("attempts", name)
