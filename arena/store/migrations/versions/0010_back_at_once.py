"""What a restart needs, written with each snapshot of the board."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns and the index; what is missing in old rows is read the long way once."""
    op.add_column("entries", sa.Column("rejected", _BIG, nullable=True))
    op.add_column("standings", sa.Column("account", sa.JSON(), nullable=True))
    op.add_column("board_summaries", sa.Column("market", sa.JSON(), nullable=True))
    op.add_column("snapshots", sa.Column("seat", sa.JSON(), nullable=True))
    op.create_index("ix_bot_ticks_season_event", "bot_ticks", ["season_id", "event", "tick"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_bot_ticks_season_event", "bot_ticks")
    op.drop_column("snapshots", "seat")
    op.drop_column("board_summaries", "market")
    op.drop_column("standings", "account")
    op.drop_column("entries", "rejected")
