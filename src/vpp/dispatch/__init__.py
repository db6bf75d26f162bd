"""Sharing a plan among assets, as commands, and tracking each to its proof. No input or output here."""
