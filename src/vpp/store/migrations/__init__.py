"""The steps by which the tables of a SQL store come into being: SQL scripts of the first, Alembic of the others."""
