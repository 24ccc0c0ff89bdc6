"""A season's seeds in a table of their own, their commitment beside them; the fills a bot may have in a day."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table; the seeds so far were counted up from a setting, so anybody could guess them."""
    op.create_table(
        "season_seeds",
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("chance", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["season_id"], ["seasons.id"]),
        sa.PrimaryKeyConstraint("season_id"),
    )
    op.add_column("seasons", sa.Column("seed_sha256", sa.Text(), nullable=False, server_default=""))
    op.add_column("seasons", sa.Column("predictable", sa.Boolean(), nullable=False, server_default=sa.false()))
    seasons = sa.table("seasons", *map(sa.column, ("id", "status", "feed", "seed", "seed_sha256", "predictable")))
    seeds = sa.table("season_seeds", *map(sa.column, ("season_id", "market", "chance")))
    connection = op.get_bind()
    closed = {}
    for row in connection.execute(sa.select(seasons)).all():
        seed = str(row.seed)
        connection.execute(seeds.insert().values(season_id=row.id, market=seed, chance=seed))
        digest = hashlib.sha256(seed.encode()).hexdigest()
        # Feeds that fell back are named synthetic too.
        values = {"seed_sha256": digest, "predictable": row.feed == "synthetic"}
        connection.execute(seasons.update().where(seasons.c.id == row.id).values(values))
        if row.status == "closed":
            closed[row.id] = seed
    op.drop_column("seasons", "seed")
    op.add_column("seasons", sa.Column("seed", sa.Text(), nullable=True))
    for season_id, seed in closed.items():
        connection.execute(seasons.update().where(seasons.c.id == season_id).values(seed=seed))
    op.add_column("seasons", sa.Column("fills_a_day", sa.Integer(), nullable=False, server_default="0"))
    # Of bots that play already nobody knows whether each tick so far has raised.
    op.add_column("entries", sa.Column("good_tick", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("standings", sa.Column("periods_a_year", sa.Float(), nullable=True))
    op.add_column("standings", sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take them away again; a seed that is no number becomes 0."""
    op.drop_column("standings", "note")
    op.drop_column("standings", "periods_a_year")
    op.drop_column("entries", "good_tick")
    op.drop_column("seasons", "fills_a_day")
    op.drop_column("seasons", "seed")
    op.add_column("seasons", sa.Column("seed", _BIG, nullable=False, server_default="0"))
    for name in ("predictable", "seed_sha256"):
        op.drop_column("seasons", name)
    op.drop_table("season_seeds")
