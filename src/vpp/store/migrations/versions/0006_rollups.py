"""Roll-ups of readings, and the note of which hours are out of date: at first all that were kept before."""

import numpy as np
import sqlalchemy as sa
from alembic import op

from vpp.store.marks import mark
from vpp.store.tables import READINGS, seconds_of

revision = "0006"
down_revision = "0005"

HOUR_S = 3600


def upgrade() -> None:
    """Make the tables, and mark every hour in which there are readings."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for level in ("rollup_1min", "rollup_15min", "rollup_1h", "rollup_1d"):
        op.create_table(
            level,
            *_bucket(),
            sa.Column("count", sa.BigInteger, nullable=False),
            *(sa.Column(name, sa.Double, nullable=False) for name in ("total", "low", "high")),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "rollup_marks",
        sa.Column("id", number, primary_key=True),
        sa.Column("first_hour", sa.BigInteger, nullable=False),
        sa.Column("last_hour", sa.BigInteger, nullable=False),
        sa.Column("hours", sa.LargeBinary, nullable=False),
        sa.Index("rollup_marks_by_hour", "last_hour"),
    )
    op.create_table("rollup_work", *_bucket(), sqlite_with_rowid=False)
    op.create_table(
        "retention",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("dropped_before_s", sa.BigInteger, nullable=False),
    )
    _mark_all()


def _bucket() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False) for name in ("series_id", "start_s")]


def _mark_all() -> None:
    connection = op.get_bind()
    numbers = connection.execute(sa.select(READINGS.c.series_id).distinct()).scalars().all()
    time_s = seconds_of(READINGS.c.time_s)
    # The remainder has the sign of the time; before 1970 too an hour begins at or before it.
    hour = (time_s - (time_s % HOUR_S + HOUR_S) % HOUR_S).label("hour")
    for number in numbers:
        hours = connection.execute(sa.select(hour).where(READINGS.c.series_id == number).distinct()).scalars().all()
        mark(connection, np.full(len(hours), number, dtype=np.int64), np.array(hours, dtype=np.int64))
