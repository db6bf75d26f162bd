"""Sharing a plan among assets, tracking commands to their proof, and grid services in real time. No input or output."""
