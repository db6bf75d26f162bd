"""Candidates: which models take part in a comparison, and when they may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from vpp.core.errors import UnknownNameError
from vpp.forecasting.kinds import Kind
from vpp.forecasting.needs import COSTS
from vpp.forecasting.registry import ModelSpec, models
from vpp.forecasting.settings import ForecastSettings

COMBINATION = "median"
"""The combination of the members, ``ForecastPipeline``: it serves unless a single model beats it beyond noise."""
ALL = "all"
HEAVY = "heavy"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model with its settings.

    Parameters
    ----------
    name : str
        Name in the comparison; a tuned model has one of its own.
    model : str
        Name in the registry.
    settings : ForecastSettings
        What it is made with.
    """

    name: str
    model: str
    settings: ForecastSettings = field(default_factory=ForecastSettings)

    @property
    def spec(self) -> ModelSpec:
        """The model's entry in the registry."""
        return models()[self.model]

    def answers_for(self, kind: Kind, history_days: float) -> bool:
        """Return whether a series has what the model needs."""
        needs = self.spec.needs
        return kind in needs.kinds and history_days >= needs.history_days and not needs.exogenous


def candidates(
    names: Sequence[str], settings: ForecastSettings, *, members: Sequence[str] = ()
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Return the single models to compare beside the combination, cheapest first, and what was left out and why.

    Parameters
    ----------
    names : sequence of str
        Names in the registry; ``all`` for every one that is installed; none for all but the heavy ones.
    settings : ForecastSettings
        What they are made with.
    members : sequence of str
        Models the combination runs anyway, so that they are not run twice.

    Raises
    ------
    UnknownNameError
        When the registry has no such model.
    """
    known = models()
    for name in names:
        if name not in (*known, ALL, COMBINATION):
            raise UnknownNameError("forecasting model", name, (*known, COMBINATION, ALL))
    asked = set(known) if ALL in names else set(names)
    if not names:
        asked = {name for name, spec in known.items() if spec.needs.cost != HEAVY}
    taken: list[Candidate] = []
    left_out: list[str] = []
    for name in sorted(asked - {COMBINATION, *members}, key=lambda name: (COSTS.index(known[name].needs.cost), name)):
        spec = known[name]
        if spec.library is not None and find_spec(spec.library) is None:
            left_out.append(f"{name}: {spec.library} is not installed; pip install 'vpp[{spec.needs.extra}]'")
        elif not spec.needs.exogenous:
            taken.append(Candidate(name, name, settings))
    return tuple(taken), tuple(left_out)
