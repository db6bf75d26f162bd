"""A delivery into a SQL database, in one transaction: what is new of it is kept, what came before is counted."""

from __future__ import annotations

import numpy as np

from vpp.core.messages import Delivery, Intake
from vpp.store.rows import refusal_row
from vpp.store.sequences import Boot, by_boot, new_readings, sort_out
from vpp.store.series_ids import WritingSeries
from vpp.store.tables import EXTRAS, REFUSALS


def take(series: WritingSeries, delivery: Delivery) -> Intake:
    """Keep what is new of a delivery, within an open transaction.

    Two writers of one source come one after the other, and the second finds what the first has taken.
    """
    connection, dialect = series.connection, series.dialect
    refusals = [refusal_row(refusal) for refusal in delivery.refusals]
    arrivals = by_boot(delivery.origins)
    seen = dialect.seen(connection, list(arrivals)) if arrivals else {}
    fresh = np.zeros(len(delivery.origins), dtype=bool)
    grown: dict[Boot, bytes] = {}
    for boot, of_boot in arrivals.items():
        new, runs = sort_out(seen.get(boot, b""), of_boot.numbers)
        if any(new):
            fresh[of_boot.places] = new
            grown[boot] = runs
    kept = new_readings(delivery, fresh)
    if grown:
        # First, because this is where two writers of one source meet.
        dialect.keep_seen(connection, seen, grown)
    rows = sum(series.keep(readings) for readings in kept)
    extras = [
        {"plant": o.plant, "source": o.source, "boot": o.boot, "sequence": o.sequence, "extra": o.extra}
        for o, new in zip(delivery.origins, fresh.tolist(), strict=True)
        if o.extra and new
    ]
    if extras:
        connection.execute(dialect.adding(EXTRAS), extras)
    refused = 0
    if refusals:
        statement = dialect.adding(REFUSALS).execution_options(preserve_rowcount=True)
        refused = connection.execute(statement, refusals).rowcount
    messages = int(fresh.sum())
    return Intake(messages, fresh.size - messages, rows, refused)
