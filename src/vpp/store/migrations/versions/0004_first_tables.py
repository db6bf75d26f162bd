"""Everything that was kept before deliveries were: series, readings, forecasts, plans, commands, events.

A SQLite file gets these by the scripts ``0001`` to ``0004`` beside this folder, as the first versions of it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = None


def upgrade() -> None:
    """Make the tables on a database other than SQLite."""
    if op.get_bind().dialect.name == "sqlite":
        return
    _readings()
    _forecasts()
    _plans_and_orders()
    _market_and_events()


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.BigInteger, primary_key=True)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _readings() -> None:
    moment = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("plant"),
        _text("source"),
        _text("metric"),
        sa.UniqueConstraint("plant", "source", "metric"),
    )
    op.create_table(
        "readings",
        sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time_s", moment, primary_key=True),
        sa.Column("arrived_s", moment, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("issued_s", moment, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        postgresql_partition_by="RANGE (time_s)",
    )


def _forecasts() -> None:
    op.create_table(
        "forecasts",
        _id(),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), nullable=False),
        _moment("issued_us"),
        _moment("start_us"),
        sa.Column("resolution_s", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        _text("model"),
        _text("levels"),
        _text("flags"),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Column("product", sa.Text, nullable=False, server_default="rolling"),
        sa.Index("forecasts_by_issue", "series_id", "product", "issued_us", "id"),
    )
    op.create_table(
        "scores",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("product", sa.Text, primary_key=True),
        sa.Column("issued_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("hours", sa.Integer, nullable=False),
        sa.Column("mae", sa.Double, nullable=False),
        sa.Column("pinball", sa.Double),
        sa.Column("coverage_80", sa.Double),
    )
    op.create_table(
        "champions",
        _id(),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), nullable=False),
        _moment("decided_us"),
        _text("model"),
        _moment("trained_us"),
        _text("run"),
        _text("artefact"),
        _text("reason"),
        sa.Index("champions_by_decision", "series_id", "decided_us", "id"),
    )


def _plans_and_orders() -> None:
    op.create_table(
        "schedules",
        _id(),
        _text("plant"),
        _moment("issued_us"),
        _text("status"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Index("schedules_by_issue", "plant", "issued_us", "id"),
    )
    op.create_table(
        "commands",
        _number(),
        _text("plant"),
        _text("id"),
        _text("asset_id"),
        _moment("issued_us"),
        _moment("start_us"),
        _moment("end_us"),
        sa.Column("power_kw", sa.Double, nullable=False),
        sa.Column("grid_floor_kw", sa.Double),
        sa.Column("grid_ceiling_kw", sa.Double),
        sa.Column("may_reverse", sa.Boolean, nullable=False),
        sa.UniqueConstraint("plant", "id"),
        sa.Index("commands_by_start", "plant", "start_us", "number"),
    )
    op.create_table(
        "acks",
        _number(),
        _text("plant"),
        _text("command_id"),
        _text("asset_id"),
        _moment("at_us"),
        _text("status"),
        sa.Column("power_kw", sa.Double),
        _text("message"),
        sa.Index("acks_by_time", "plant", "at_us", "number"),
        sa.Index("acks_by_command", "plant", "command_id"),
    )


def _market_and_events() -> None:
    op.create_table(
        "awards",
        _number(),
        _text("plant"),
        _text("offer_id"),
        _text("product"),
        _moment("start_us"),
        sa.Column("resolution_s", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Index("awards_by_start", "plant", "start_us", "number"),
        sa.Index("awards_by_offer", "plant", "offer_id"),
    )
    op.create_table(
        "events",
        _number(),
        _text("plant"),
        _moment("at_us"),
        _text("kind"),
        _text("severity"),
        _text("message"),
        _text("fields"),
        sa.Index("events_by_time", "plant", "at_us", "number"),
    )
