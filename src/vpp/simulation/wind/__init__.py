"""Wind: power curves, air at hub height, storm control, failures, wakes, reactive power."""
