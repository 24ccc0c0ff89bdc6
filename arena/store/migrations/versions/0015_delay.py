"""How many ticks after the one it was made at an order fills: a rule of each season."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; in every season so far it was the next tick."""
    op.add_column("seasons", sa.Column("delay_ticks", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("seasons", "delay_ticks")
