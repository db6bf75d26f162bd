"""Real servers for tests and benchmarks: each starts on a random loopback port in a folder of its own, and is stopped.

Nothing here is part of the package. A server whose program is missing raises ``MissingServerError``; what to do
about it (fail in CI, skip elsewhere) is decided in ``tests/conftest.py``.
"""
