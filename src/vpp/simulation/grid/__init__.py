"""Grid: frequency and voltage at the meters, second by second."""
