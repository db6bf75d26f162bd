"""Features: what was known at a moment of decision, as a table that users train their own models on."""
