"""Metrics that devices have and plans do not: what their meters counted since they were built, never negative."""

ENERGY_EXPORT_KWH = "energy_export_kwh"
"""Counted toward the grid."""
ENERGY_IMPORT_KWH = "energy_import_kwh"
"""Counted from the grid."""
