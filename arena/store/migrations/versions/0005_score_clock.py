"""Returns on one score clock, what a rank means, and the dates of a season."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _season_columns() -> list[sa.Column]:
    return [
        sa.Column("score_interval", sa.Float(), nullable=False, server_default="300"),
        sa.Column("benchmark", sa.Text(), nullable=False, server_default="equal weight"),
        sa.Column("starts_at", sa.Float(), nullable=True),
        sa.Column("ends_at", sa.Float(), nullable=True),
        sa.Column("entry_deadline", sa.Float(), nullable=True),
    ]


def _standing_columns() -> list[sa.Column]:
    return [
        sa.Column("periods", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("excess_pct", sa.Float(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False, server_default="not yet"),
        sa.Column("verdict_next", sa.Text(), nullable=False, server_default="not yet"),
        sa.Column("tie_first", sa.Integer(), nullable=True),
        sa.Column("tie_last", sa.Integer(), nullable=True),
        sa.Column("batches", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ticks_to_separate", _BIG, nullable=True),
    ]


# Returns counted until now were of another clock; they begin anew.
_FRESH = {
    "last_equity": None, "returns": 0, "return_mean": 0.0, "return_m2": 0.0,
    "first_time": None, "last_time": 0.0, "timed": 0,
}  # fmt: skip


def upgrade() -> None:
    """Add tables and columns, and forget the Sharpe ratios of the old clock."""
    op.create_table(
        "score_points",
        sa.Column("season_id", sa.String(), sa.ForeignKey("seasons.id"), nullable=False),
        sa.Column("n", _BIG, autoincrement=False, nullable=False),
        sa.Column("tick", _BIG, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("joined", sa.JSON(), nullable=False),
        sa.Column("equities", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("season_id", "n"),
    )
    op.create_table(
        "board_summaries",
        sa.Column("season_id", sa.String(), sa.ForeignKey("seasons.id"), nullable=False),
        sa.Column("tick", _BIG, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("season_id"),
    )
    for column in _season_columns():
        op.add_column("seasons", column)
    for column in _standing_columns():
        op.add_column("standings", column)
    standings = sa.table(
        "standings", sa.column("season_id"), sa.column("bot_id"), sa.column("sharpe"), sa.column("periods_a_year"),
        sa.column("score", sa.JSON()),
    )  # fmt: skip
    connection = op.get_bind()
    for season, bot, score in connection.execute(
        sa.select(standings.c.season_id, standings.c.bot_id, standings.c.score)
    ).all():
        connection.execute(
            standings.update()
            .where(standings.c.season_id == season, standings.c.bot_id == bot)
            .values(sharpe=None, periods_a_year=None, score={**score, **_FRESH})
        )


def downgrade() -> None:
    """Take them away again."""
    for column in reversed(_standing_columns()):
        op.drop_column("standings", column.name)
    for column in reversed(_season_columns()):
        op.drop_column("seasons", column.name)
    op.drop_table("board_summaries")
    op.drop_table("score_points")
