"""Models by name: the built-in ones and those that other packages bring, through one door.

A package adds a model by an entry point in the group ``vpp.forecasters`` whose value is a ``ModelSpec``. Invariant:
listing names and needs loads no learning library; a model's library is loaded when the model is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.extras import require
from vpp.forecasting.models.member import Member
from vpp.forecasting.needs import COSTS, ModelContext, ModelNeeds

ENTRY_POINTS = "vpp.forecasters"
_HERE = "vpp.forecasting.models"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model that can be chosen.

    Parameters
    ----------
    name : str
        Name by which it is chosen.
    about : str
        What it does, in one line.
    needs : ModelNeeds
        What it needs.
    factory : str
        ``module:callable``, called with a ``ModelContext`` and returning a ``Member``.
    library : str or None
        Module of the optional library behind it.
    """

    name: str
    about: str
    needs: ModelNeeds
    factory: str
    library: str | None = None

    def make(self, context: ModelContext) -> Member:
        """Return a new, unfitted model.

        Raises
        ------
        MissingExtraError
            When its optional library is not installed.
        """
        if self.library is not None and self.needs.extra is not None:
            require(self.library, extra=self.needs.extra)
        module, _, attribute = self.factory.partition(":")
        made: Member = getattr(import_module(module), attribute)(context)
        return made


BUILT_IN: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="seasonal_naive_24h",
        about="the same hour yesterday",
        needs=ModelNeeds(history_days=1, cost="instant"),
        factory=f"{_HERE}.seasonal_naive:day",
    ),
    ModelSpec(
        name="seasonal_naive_168h",
        about="the same hour a week ago",
        needs=ModelNeeds(history_days=7, cost="instant", kinds=("load", "price")),
        factory=f"{_HERE}.seasonal_naive:week",
    ),
    ModelSpec(
        name="hour_of_week_mean",
        about="mean of the same hour of the last weeks, by weekday where people make the rhythm",
        needs=ModelNeeds(history_days=2, cost="instant"),
        factory=f"{_HERE}.hour_of_week:hour_of_week_mean",
    ),
    ModelSpec(
        name="theta",
        about="optimized Theta on the deseasonalized series, all series at once",
        needs=ModelNeeds(history_days=3, cost="cheap"),
        factory=f"{_HERE}.theta:Theta",
    ),
    ModelSpec(
        name="mstl",
        about="daily and weekly seasons by loess, the rest by exponential smoothing, all series at once",
        needs=ModelNeeds(history_days=21, cost="cheap", kinds=("load", "wind", "price")),
        factory=f"{_HERE}.mstl:Mstl",
    ),
    ModelSpec(
        name="ridge",
        about="one ridge regression per hour ahead on asinh-scaled values, all series at once",
        needs=ModelNeeds(history_days=36, cost="cheap", inputs=True, kinds=("load", "wind", "price")),
        factory=f"{_HERE}.ridge:ridge_regression",
    ),
    ModelSpec(
        name="lear",
        about="one LASSO per hour ahead, its penalty by AIC, on asinh-scaled values",
        needs=ModelNeeds(history_days=36, cost="moderate", inputs=True),
        factory=f"{_HERE}.lear:lear",
    ),
    ModelSpec(
        name="trees",
        about="one LightGBM per kind over all its series, step by step",
        needs=ModelNeeds(history_days=14, cost="moderate", shared=True),
        factory=f"{_HERE}.trees:global_trees",
    ),
    ModelSpec(
        name="direct_trees",
        about="one LightGBM per kind over all its series and all leads at once, on features of the hour wanted",
        needs=ModelNeeds(history_days=36, cost="moderate", shared=True, kinds=("load", "wind", "price")),
        factory=f"{_HERE}.direct_trees:DirectTrees",
    ),
    ModelSpec(
        name="weather_trees",
        about="one LightGBM per series on inputs known ahead, such as forecast weather",
        needs=ModelNeeds(history_days=14, cost="moderate", inputs=True, exogenous=True),
        factory=f"{_HERE}.weather_trees:WeatherTrees",
    ),
    ModelSpec(
        name="lightgbm",
        about="one LightGBM per series, step by step",
        needs=ModelNeeds(history_days=14, cost="moderate"),
        factory=f"{_HERE}.trees:own_trees",
    ),
    ModelSpec(
        name="random_forest",
        about="one random forest per series, straight to each step ahead",
        needs=ModelNeeds(history_days=14, cost="heavy"),
        factory=f"{_HERE}.random_forest:RandomForest",
    ),
    ModelSpec(
        name="ets",
        about="exponential smoothing, its form chosen by AICc",
        needs=ModelNeeds(history_days=3, cost="heavy", extra="statistical"),
        factory=f"{_HERE}.statistical:AutoEts",
        library="statsforecast",
    ),
    ModelSpec(
        name="auto_arima",
        about="seasonal ARIMA, its orders chosen by AICc",
        needs=ModelNeeds(history_days=7, cost="heavy", extra="statistical"),
        factory=f"{_HERE}.statistical:AutoArima",
        library="statsforecast",
    ),
    ModelSpec(
        name="prophet",
        about="trend, Fourier seasons and holidays",
        needs=ModelNeeds(history_days=14, cost="heavy", extra="prophet"),
        factory=f"{_HERE}.prophet:ProphetModel",
        library="prophet",
    ),
    ModelSpec(
        name="nbeats",
        about="N-BEATS, a stack of fully connected blocks with double residuals",
        needs=ModelNeeds(history_days=28, cost="heavy", shared=True, extra="neural"),
        factory=f"{_HERE}.nbeats:NBeats",
        library="torch",
    ),
    ModelSpec(
        name="lstm",
        about="a recurrent network over the last three days, beside last week's values",
        needs=ModelNeeds(history_days=28, cost="heavy", shared=True, extra="neural"),
        factory=f"{_HERE}.lstm:Lstm",
        library="torch",
    ),
)


@cache
def models() -> dict[str, ModelSpec]:
    """Return every model by name, cheapest first; a package may not take the name of another model.

    Raises
    ------
    InvalidInputError
        When an entry point is not a ``ModelSpec``, or its name is taken.
    """
    known = {spec.name: spec for spec in BUILT_IN}
    for point in entry_points(group=ENTRY_POINTS):
        spec = point.load()
        if not isinstance(spec, ModelSpec):
            raise InvalidInputError(f"entry point {point.name}", type(spec).__name__, "a ModelSpec")
        if spec.name in known:
            raise InvalidInputError(f"entry point {point.name}", spec.name, "a name that no other model has")
        known[spec.name] = spec
    return dict(sorted(known.items(), key=lambda item: COSTS.index(item[1].needs.cost)))


def model(name: str) -> ModelSpec:
    """Return the model of a name; an unknown one names the nearest.

    >>> model("theta").needs.cost
    'cheap'
    """
    known = models()
    if name not in known:
        raise UnknownNameError("forecasting model", name, known)
    return known[name]
