"""Seeds: one named stream of random numbers for every process of every site.

Invariant: a stream depends on the seed and its own names alone, so adding an asset, or cutting a fleet into chunks,
changes no other number.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from vpp.core.errors import InvalidInputError


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of one named process.

    Parameters
    ----------
    seed : int
        Seed of the whole simulation, 0 or more.
    *names : str or int
        What the stream is for, e.g. ``"clouds", 17``; integers are 0 or more.

    Raises
    ------
    InvalidInputError
        When the seed or an integer name is negative.

    Examples
    --------
    >>> float(generator(1, "wind", 0).random()) == float(generator(1, "wind", 0).random())
    True
    >>> float(generator(1, "wind", 0).random()) == float(generator(1, "wind", 1).random())
    False
    """
    for name, value in (("seed", seed), *(("names", name) for name in names if not isinstance(name, str))):
        if value < 0:
            raise InvalidInputError(name, value, "an integer of 0 or more")
    words = [crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(words)))
