"""Views for people who ask by SQL: what was measured, what the market asked for, how full the batteries were."""

from alembic import op

revision = "0007"
down_revision = "0006"

_TIMES = {
    "sqlite": """
        strftime('%Y-%m-%dT%H:%M:%SZ', kept.time_s, 'unixepoch') AS time,
        strftime('%Y-%m-%dT%H:%M:%SZ', kept.issued_s, 'unixepoch') AS issued_at,
        strftime('%Y-%m-%dT%H:%M:%SZ', kept.arrived_s, 'unixepoch') AS arrived_at
    """,
    "postgresql": "kept.time_s AS time, kept.issued_s AS issued_at, kept.arrived_s AS arrived_at",
}
_BEFORE = "CREATE VIEW measurements AS SELECT series.plant, series.source, series.metric, kept.value, kept.quality,"
_BEHIND = """
FROM readings AS kept JOIN series ON series.id = kept.series_id
WHERE NOT EXISTS (
    SELECT 1 FROM readings AS later
    WHERE later.series_id = kept.series_id AND later.time_s = kept.time_s
      AND (later.arrived_s, later.revision) > (kept.arrived_s, kept.revision)
)
"""
_MARKET_PRICES = """
CREATE VIEW market_prices AS
SELECT plant, time,
       max(value) FILTER (WHERE metric = 'price_per_kwh') AS price_per_kwh,
       max(value) FILTER (WHERE metric = 'export_price_per_kwh') AS export_price_per_kwh,
       max(value) FILTER (WHERE metric = 'carbon_kg_per_kwh') AS carbon_kg_per_kwh
FROM measurements WHERE source = 'market' GROUP BY plant, time
"""
_BATTERY_STATES = """
CREATE VIEW battery_states AS
SELECT plant, source AS battery, time,
       max(value) FILTER (WHERE metric = 'soc') AS soc,
       max(value) FILTER (WHERE metric = 'power_kw') AS power_kw
FROM measurements
WHERE metric IN ('soc', 'power_kw') AND EXISTS (
    SELECT 1 FROM series WHERE series.plant = measurements.plant AND series.source = measurements.source
                           AND series.metric = 'soc'
)
GROUP BY plant, source, time
"""


def upgrade() -> None:
    """Make the views."""
    op.execute(_BEFORE + _TIMES[op.get_bind().dialect.name] + _BEHIND)
    op.execute(_MARKET_PRICES)
    op.execute(_BATTERY_STATES)
