"""Plans: problem -> sparse matrices -> HiGHS, with duals, reasons and honest statuses."""
