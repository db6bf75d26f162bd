"""What came from machines: messages taken, their unknown fields, refusals, heartbeats; and what the plant file says."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "sequences",
        *_key("plant", "source", "boot"),
        sa.Column("runs", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "extras",
        *_key("plant", "source", "boot"),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("extra"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refusals",
        sa.Column("number", number, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        _text("plant"),
        _text("source"),
        sa.Column("arrived_us", sa.BigInteger, nullable=False),
        _text("reason"),
        _text("message"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Index("refusals_by_arrival", "arrived_us", "number"),
        sa.Index("refusals_by_plant", "plant", "arrived_us", "number"),
    )
    op.create_table(
        "heartbeats",
        *_key("service"),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        _text("counts"),
    )
    op.create_table("sources", *_key("plant", "id"), _text("kind"), _text("site"), _text("facts"))
    figures = ("capacity_kwh", "charge_max_kw", "discharge_max_kw", "soc_min", "soc_max")
    op.create_table(
        "batteries", *_key("plant", "id"), *(sa.Column(name, sa.Double, nullable=False) for name in figures)
    )


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)
