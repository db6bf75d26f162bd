"""``python -m vpp``: the same as the ``vpp`` command."""

from __future__ import annotations

from vpp.cli.main import run

if __name__ == "__main__":
    run()
