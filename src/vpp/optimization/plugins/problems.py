"""Problems for plug-ins: three kinds, made from plain data and checked before any solve.

Units are those of the keys: kW, kWh, hours, currency per kWh, hertz, per unit. Power is positive toward the grid.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError, nearest_names

Floats = NDArray[np.float64]
FINITE = sys.float_info.max
PERSISTENCE = 0.9
"""Correlation of forecast errors from one step to the next: errors of load, sun and price last for hours."""
NOMINAL_HZ = (50.0, 60.0)

_STOCHASTIC_KEYS = {
    "base_prices", "renewable_forecast", "load_forecast", "battery_capacity", "max_power", "efficiency", "time_step",
    "time_horizon", "initial_soc", "min_soc", "max_soc", "final_soc_min",
}  # fmt: skip
_UNCERTAINTY_KEYS = {"price_volatility", "renewable_error", "load_uncertainty"}
_REALTIME_KEYS = {
    "grid_frequency", "nominal_frequency_hz", "grid_voltage", "battery_soc", "total_load", "renewable_generation",
    "electricity_price", "max_power", "battery_capacity", "efficiency", "min_soc", "max_soc", "time_step",
    "import_max_kw", "export_max_kw",
}  # fmt: skip
_SITE_KEYS = {"site_id", "total_capacity", "available_capacity", "marginal_cost", "location", "reserve_cost"}
_TARGET_KEYS = {"total_power", "reserve"}


@dataclass(frozen=True, slots=True, eq=False)
class StochasticCase:
    """A battery, a load and generation over T steps, with S scenarios of what may come.

    Parameters
    ----------
    base_prices, renewable_forecast, load_forecast : float arrays, shape (T,)
        Price [currency/kWh], generation and consumption (magnitudes) [kW].
    battery_capacity, max_power, efficiency, time_step : float
        Energy [kWh], largest power both ways [kW], one-way efficiency (0-1], length of a step [h].
    initial_soc, min_soc, max_soc, final_soc_min : float
        States of charge (0-1).
    price, renewable, load : float arrays, shape (S, T)
        Scenarios.
    probability : float array, shape (S,)
        Their probabilities, summing to 1.
    """

    kind: ClassVar[str] = "stochastic"
    base_prices: Floats
    renewable_forecast: Floats
    load_forecast: Floats
    battery_capacity: float
    max_power: float
    efficiency: float
    time_step: float
    initial_soc: float
    min_soc: float
    max_soc: float
    final_soc_min: float
    price: Floats
    renewable: Floats
    load: Floats
    probability: Floats

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.base_prices.size


@dataclass(frozen=True, slots=True)
class RealtimeCase:
    """A site this second.

    Parameters
    ----------
    frequency_hz, nominal_hz : float
        Measured and nominal grid frequency.
    voltage_pu : float
        Measured voltage per unit.
    soc : float
        State of charge (0-1).
    load_kw, renewable_kw : float
        Consumption and generation, magnitudes.
    price_per_kwh : float or None
        Price now, if known.
    max_power_kw, capacity_kwh : float
        Of the battery.
    min_soc, max_soc : float
        Its band.
    import_max_kw, export_max_kw : float
        Of the connection; infinity for none.
    known : float
        Share of the measurements that were given rather than assumed (0-1).
    forecasts : mapping of str to float arrays
        Forecasts, if any.
    """

    kind: ClassVar[str] = "realtime"
    frequency_hz: float
    nominal_hz: float
    voltage_pu: float
    soc: float
    load_kw: float
    renewable_kw: float
    price_per_kwh: float | None
    max_power_kw: float
    capacity_kwh: float
    min_soc: float
    max_soc: float
    import_max_kw: float
    export_max_kw: float
    known: float
    forecasts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DistributedCase:
    """Sites that meet a common target.

    Parameters
    ----------
    site_ids : tuple of str or number
        The N sites, each once.
    total_capacity_kw, available_kw : tuples of float, length N
        Rating, and what of it is available now; available at most total.
    marginal_cost_per_kwh, reserve_cost_per_kwh : tuples of float, length N
        Cost of power and of reserve.
    locations : tuple of object, length N
        As given.
    target_kw, reserve_kw : float
        Power and reserve asked of all sites together.
    """

    kind: ClassVar[str] = "distributed"
    site_ids: tuple[str | int | float, ...]
    total_capacity_kw: tuple[float, ...]
    available_kw: tuple[float, ...]
    marginal_cost_per_kwh: tuple[float, ...]
    reserve_cost_per_kwh: tuple[float, ...]
    locations: tuple[Any, ...]
    target_kw: float
    reserve_kw: float


Problem: TypeAlias = StochasticCase | RealtimeCase | DistributedCase


def create_stochastic_problem(
    base_data: Mapping[str, Any],
    num_scenarios: int = 10,
    uncertainty_config: Mapping[str, float] | None = None,
    *,
    seed: int | None = None,
) -> StochasticCase:
    """Return a stochastic problem with scenarios drawn around the forecasts.

    Parameters
    ----------
    base_data : mapping
        ``base_prices`` [currency/kWh] of T steps; ``battery_capacity`` [kWh], ``max_power`` [kW], ``efficiency``
        (one-way, 0-1], ``time_step`` [h]; ``renewable_forecast`` and ``load_forecast`` [kW] of T steps (zero when
        left out); optional ``initial_soc`` (0.5), ``min_soc`` (0), ``max_soc`` (1), ``final_soc_min`` (as initial).
        The horizon follows the prices; ``time_horizon`` is advisory.
    num_scenarios : int
        Scenarios, 1 or more; equally probable.
    uncertainty_config : mapping, optional
        ``price_volatility``, ``renewable_error``, ``load_uncertainty``: standard deviations relative to the forecast,
        0 to 2; by default 0.2, 0.15, 0.1. Errors persist over time.
    seed : int, optional
        Seed of the generator; 0 when left out, so that the same call makes the same problem.

    Raises
    ------
    InvalidInputError
        When a field is missing, unknown or out of range.
    SeriesMismatchError
        When a series has another length than the prices.
    """
    _refuse_unknown(base_data, _STOCHASTIC_KEYS, "base_data")
    prices = _series(base_data, "base_prices")
    if not prices.size:
        raise InvalidInputError("base_data.base_prices", [], "at least one price")
    steps = prices.size
    renewable = _series(base_data, "renewable_forecast", steps=steps, low=0.0)
    load = _series(base_data, "load_forecast", steps=steps, low=0.0)
    min_soc = _number(base_data, "min_soc", 0.0, 1.0, default=0.0)
    max_soc = _number(base_data, "max_soc", min_soc, 1.0, default=1.0)
    initial = _number(base_data, "initial_soc", min_soc, max_soc, default=0.5)
    if num_scenarios < 1 or int(num_scenarios) != num_scenarios:
        raise InvalidInputError("num_scenarios", num_scenarios, "1 or more")
    errors = uncertainty_config or {}
    _refuse_unknown(errors, _UNCERTAINTY_KEYS, "uncertainty_config")
    generator = np.random.default_rng(0 if seed is None else seed)
    draws = {
        name: _persistent_errors(generator, int(num_scenarios), steps) * _number(errors, name, 0.0, 2.0, default=usual)
        for name, usual in (("price_volatility", 0.2), ("renewable_error", 0.15), ("load_uncertainty", 0.1))
    }
    return StochasticCase(
        base_prices=prices,
        renewable_forecast=renewable,
        load_forecast=load,
        battery_capacity=_number(base_data, "battery_capacity", 0.0, FINITE),
        max_power=_number(base_data, "max_power", 0.0, FINITE),
        efficiency=_number(base_data, "efficiency", 1e-3, 1.0),
        time_step=_number(base_data, "time_step", 1e-6, FINITE),
        initial_soc=initial,
        min_soc=min_soc,
        max_soc=max_soc,
        final_soc_min=_number(base_data, "final_soc_min", 0.0, max_soc, default=initial),
        price=prices * (1.0 + draws["price_volatility"]),
        renewable=np.maximum(renewable * (1.0 + draws["renewable_error"]), 0.0),
        load=np.maximum(load * (1.0 + draws["load_uncertainty"]), 0.0),
        probability=np.full(int(num_scenarios), 1.0 / int(num_scenarios)),
    )


def create_realtime_problem(
    current_state: Mapping[str, Any], forecasts: Mapping[str, Any] | None = None
) -> RealtimeCase:
    """Return a real-time problem from what is measured now.

    Parameters
    ----------
    current_state : mapping
        ``grid_frequency`` [Hz], ``nominal_frequency_hz`` (default: the nearer of 50 and 60), ``grid_voltage`` [pu],
        ``battery_soc`` (0-1), ``total_load``, ``renewable_generation`` [kW], ``electricity_price`` [currency/kWh];
        limits ``max_power`` [kW] (100), ``battery_capacity`` [kWh] (as many hours as one at full power),
        ``min_soc`` (0.1), ``max_soc`` (0.9), ``import_max_kw``, ``export_max_kw``. What is not given is assumed
        nominal, and lowers the confidence of the answer.
    forecasts : mapping, optional
        Passed on to plug-ins.
    """
    _refuse_unknown(current_state, _REALTIME_KEYS, "current_state")
    measured = (
        "grid_frequency",
        "grid_voltage",
        "battery_soc",
        "total_load",
        "renewable_generation",
        "electricity_price",
    )
    frequency = _number(current_state, "grid_frequency", 40.0, 70.0, default=math.nan)
    nearer = NOMINAL_HZ[0] if math.isnan(frequency) else min(NOMINAL_HZ, key=lambda nominal: abs(nominal - frequency))
    nominal = _number(current_state, "nominal_frequency_hz", 40.0, 70.0, default=nearer)
    max_power = _number(current_state, "max_power", 0.0, FINITE, default=100.0)
    min_soc = _number(current_state, "min_soc", 0.0, 1.0, default=0.1)
    price = current_state.get("electricity_price")
    return RealtimeCase(
        frequency_hz=nominal if math.isnan(frequency) else frequency,
        nominal_hz=nominal,
        voltage_pu=_number(current_state, "grid_voltage", 0.0, 2.0, default=1.0),
        soc=_number(current_state, "battery_soc", 0.0, 1.0, default=0.5),
        load_kw=_number(current_state, "total_load", 0.0, FINITE, default=0.0),
        renewable_kw=_number(current_state, "renewable_generation", 0.0, FINITE, default=0.0),
        price_per_kwh=None if price is None else _number(current_state, "electricity_price", -FINITE, FINITE),
        max_power_kw=max_power,
        capacity_kwh=_number(current_state, "battery_capacity", 0.0, FINITE, default=max_power),
        min_soc=min_soc,
        max_soc=_number(current_state, "max_soc", min_soc, 1.0, default=max(0.9, min_soc)),
        import_max_kw=_number(current_state, "import_max_kw", 0.0, math.inf, default=math.inf),
        export_max_kw=_number(current_state, "export_max_kw", 0.0, math.inf, default=math.inf),
        known=sum(name in current_state for name in measured) / len(measured),
        forecasts=dict(forecasts or {}),
    )


def create_distributed_problem(
    sites_data: Sequence[Mapping[str, Any]], coordination_targets: Mapping[str, float] | None = None
) -> DistributedCase:
    """Return a problem of sites that share a target.

    Parameters
    ----------
    sites_data : sequence of mappings
        ``site_id`` (text or number, each once), ``total_capacity`` [kW], ``available_capacity`` [kW] (at most total),
        ``marginal_cost`` [currency/kWh], optional ``location`` and ``reserve_cost`` (0).
    coordination_targets : mapping, optional
        ``total_power`` [kW] (0) and ``reserve`` [kW] (0).
    """
    if not sites_data:
        raise InvalidInputError("sites_data", [], "at least one site")
    targets = coordination_targets or {}
    _refuse_unknown(targets, _TARGET_KEYS, "coordination_targets")
    ids: list[str | int | float] = []
    rows: list[tuple[float, float, float, float, Any]] = []
    for index, site in enumerate(sites_data):
        where = f"sites_data[{index}]"
        _refuse_unknown(site, _SITE_KEYS, where)
        name = site.get("site_id", index)
        if isinstance(name, bool) or not isinstance(name, (str, int, float)) or name in ids:
            raise InvalidInputError(f"{where}.site_id", name, "a text or number that no other site has")
        ids.append(name)
        total = _number(site, "total_capacity", 0.0, FINITE, where=where)
        rows.append(
            (
                total,
                _number(site, "available_capacity", 0.0, total, default=total, where=where),
                _number(site, "marginal_cost", -FINITE, FINITE, where=where),
                _number(site, "reserve_cost", 0.0, FINITE, default=0.0, where=where),
                site.get("location"),
            )
        )
    total_kw, available_kw, cost, reserve_cost, locations = zip(*rows, strict=True)
    return DistributedCase(
        tuple(ids),
        total_kw,
        available_kw,
        cost,
        reserve_cost,
        locations,
        _number(targets, "total_power", 0.0, FINITE, default=0.0, where="coordination_targets"),
        _number(targets, "reserve", 0.0, FINITE, default=0.0, where="coordination_targets"),
    )


def _refuse_unknown(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in data:
        if name not in known:
            near = ", ".join(nearest_names(str(name), known)) or ", ".join(sorted(known))
            raise InvalidInputError(f"{where}.{name}", data[name], f"a known field; nearest: {near}")


def _number(
    data: Mapping[str, Any], name: str, low: float, high: float, *, default: float | None = None, where: str = ""
) -> float:
    field = f"{where}.{name}" if where else name
    value = data.get(name, default)
    bounds = f"a number from {low:g} to {high:g}" if high < FINITE else f"a number, {low:g} or more"
    bounds = "a finite number" if low == -FINITE else bounds
    if value is None:
        raise InvalidInputError(field, None, f"{bounds}; it is required")
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidInputError(field, value, bounds)
    number = float(value)
    if name in data and not (math.isfinite(number) or (number == math.inf == high)):
        raise InvalidInputError(field, number, f"{bounds}, finite")
    if not math.isnan(number) and not low <= number <= high:
        raise InvalidInputError(field, number, bounds)
    return number


def _series(data: Mapping[str, Any], name: str, *, steps: int | None = None, low: float = -math.inf) -> Floats:
    if name not in data and steps is not None:
        return np.zeros(steps)
    if name not in data:
        raise InvalidInputError(name, None, "a list of numbers; it is required")
    try:
        values = np.asarray(data[name], dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise InvalidInputError(name, str(data[name])[:60], "a list of numbers") from fault
    if values.ndim != 1:
        raise SeriesMismatchError(name, values.shape, "one list of numbers")
    if steps is not None and values.size != steps:
        raise SeriesMismatchError(name, values.size, f"{steps} values, as many as base_prices")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= low)))
    if wrong.size:
        raise InvalidInputError(f"{name}[{wrong[0]}]", float(values[wrong[0]]), f"finite numbers, {low:g} or more")
    return values


def _persistent_errors(generator: np.random.Generator, scenarios: int, steps: int) -> Floats:
    """Return standard normal errors, shape (S, T), with correlation ``PERSISTENCE`` from step to step."""
    noise = generator.standard_normal((scenarios, steps))
    errors = np.empty_like(noise)
    errors[:, 0] = noise[:, 0]
    fresh = math.sqrt(1.0 - PERSISTENCE**2)
    for step in range(1, steps):
        errors[:, step] = PERSISTENCE * errors[:, step - 1] + fresh * noise[:, step]
    return errors
