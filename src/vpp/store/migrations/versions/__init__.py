"""Alembic's steps; the number in front of a file's name is the version that it brings."""
