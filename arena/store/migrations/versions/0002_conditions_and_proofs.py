"""What a replay needs to be exact: tick conditions, the chain of orders, proofs; and feeds' budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("ticks", sa.Column("conditions", sa.JSON(none_as_null=True), nullable=True))
    for column in (
        sa.Column("errors_in_a_row", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("orders_count", _BIG, nullable=False, server_default="0"),
        sa.Column("orders_digest", sa.Text(), nullable=False, server_default=""),
        sa.Column("rejections_day", sa.Integer(), nullable=False, server_default="-1"),
        sa.Column("rejections_today", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("verified_tick", _BIG, nullable=True),
        sa.Column("verified_words", sa.Text(), nullable=True),
    ):
        op.add_column("entries", column)
    op.create_table(
        "feed_usage",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "day"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("feed_usage")
    for name in (
        "verified_words", "verified_tick", "rejections_today", "rejections_day", "orders_digest", "orders_count",
        "errors_in_a_row",
    ):  # fmt: skip
        op.drop_column("entries", name)
    op.drop_column("ticks", "conditions")
