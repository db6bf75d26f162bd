"""Names of the strategies a back-test compares, in the order they are shown."""

from __future__ import annotations

STRATEGY_NAMES = {
    "no_battery": "no battery",
    "rule": "rule",
    "yesterday": "yesterday's plan repeated",
    "plan": "plan",
    "perfect_foresight": "perfect foresight",
}
