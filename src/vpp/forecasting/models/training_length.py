"""How long and how fast a network learns; apart from the networks, so that nobody needs torch to say it."""

from __future__ import annotations

from dataclasses import dataclass

from vpp.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Training:
    """How long and how fast a network learns.

    Parameters
    ----------
    steps : int
        Batches, 1 or more.
    batch : int
        Windows per batch, 1 or more.
    learning_rate : float
        Highest learning rate, above 0; it falls to 0 along a half cosine.

    Raises
    ------
    InvalidInputError
        When one of them is out of its range.
    """

    steps: int = 300
    batch: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise InvalidInputError(name, getattr(self, name), "1 or more")
        if not self.learning_rate > 0.0:
            raise InvalidInputError("learning_rate", self.learning_rate, "a number above 0")
