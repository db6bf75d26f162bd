"""Evaluation: what models would have said at past moments, beside what happened, and how sure the difference is."""
