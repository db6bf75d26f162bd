"""Opening a store loads no more than that store needs, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vpp.core.errors import MissingExtraError
from vpp.store import versions
from vpp.store.open import open_store
from vpp.store.versions import current_version

OPENER = """
import sys
from vpp.store.open import open_store
open_store(sys.argv[1]).close()
print(*(name for name in ("alembic", "psycopg") if name in sys.modules))
"""


def test_a_file_that_is_up_to_date_opens_without_what_upgrades_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plant.db"
    loaded = [
        subprocess.run([sys.executable, "-c", OPENER, url], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert loaded == [["alembic"], []]


def test_a_missing_driver_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # What stands as None among the modules cannot be imported.
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for action in (open_store, current_version, versions.upgrade):
        with pytest.raises(MissingExtraError, match=r"pip install 'vpp\[postgres\]'"):
            action("postgresql://127.0.0.1/plant")
