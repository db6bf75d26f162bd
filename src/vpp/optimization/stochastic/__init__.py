"""Plans under uncertainty: scenarios, their reduction, measures of risk, and the schedule of least weighted cost."""
