"""Reports on what bots do, versions asked for in words, and questions that tell samples apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "behaviour_reports",
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("submission_id", sa.String(), primary_key=True),
        sa.Column("parent_id", sa.String(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_revisions_parent_id", "revisions", ["parent_id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_revisions_parent_id", "revisions")
    op.drop_table("revisions")
    op.drop_table("behaviour_reports")
