"""Tracking: every training in MLflow - what went in, how each model did on each fold, who serves, and the model itself.

Invariant: MLflow is a witness, not a part of the work: when it is down or refuses, the reason is kept in ``lost`` and
the training goes on. It is loaded only when something is to be recorded; its warnings and progress stay out of sight.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from vpp.core.messages import SeriesKey

ALIAS = "champion"
LOCAL_FILE = "mlflow.db"
QUIET_S = "10"
"""Seconds after which a server that does not answer is taken for down."""
_MOST_METRICS = 900
"""MLflow takes at most 1,000 metrics and 100 parameters in one batch."""
_MOST_PARAMS = 90


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What is recorded of one series.

    Parameters
    ----------
    key : SeriesKey
        The series.
    champion : str
        Who serves it.
    reason : str
        Why.
    members : tuple of str
        Models compared.
    metrics : mapping of str to sequence of float
        Name to one value per fold, such as ``pinball/theta``; NaN left out.
    """

    key: SeriesKey
    champion: str
    reason: str
    members: tuple[str, ...]
    metrics: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is recorded of one training of a group of series.

    Parameters
    ----------
    plant : str
        Plant id; the experiment.
    name : str
        Name of the run.
    params : mapping of str to object
        Settings, fingerprint of the data, version of the code.
    metrics : mapping of str to float
        Totals.
    sources : tuple of SourceRecord
        One per series.
    artefact : Path or None
        The fitted models; None registers nothing.
    registered : str
        Name in the model registry.
    """

    plant: str
    name: str
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    sources: tuple[SourceRecord, ...] = ()
    artefact: Path | None = None
    registered: str = ""


@dataclass(slots=True)
class Tracking:
    """Records trainings in MLflow.

    Parameters
    ----------
    uri : str
        Of the tracking server or database, e.g. ``http://mlflow:5000``, ``sqlite:////var/lib/vpp/mlflow.db``.
    artefacts : Path or None
        Folder of artefacts of a local database; a server has its own.

    Attributes
    ----------
    lost : str or None
        Why the last record could not be kept; None while all is well.
    """

    uri: str
    artefacts: Path | None = None
    lost: str | None = field(default=None, init=False)

    @classmethod
    def of(cls, uri: str | None, folder: Path) -> Tracking:
        """Return the tracking of a URL, else of ``MLFLOW_TRACKING_URI``, else of a database in a folder."""
        chosen = uri or os.environ.get("MLFLOW_TRACKING_URI")
        if chosen:
            return cls(chosen)
        return cls(f"sqlite:///{(folder / LOCAL_FILE).resolve()}", (folder / "mlflow").resolve())

    def record(self, run: RunRecord) -> str | None:
        """Keep one training and return its run id; None when it could not be kept, the reason then in ``lost``."""
        with _quiet():
            mlflow: Any = import_module("mlflow")
            faults = (mlflow.exceptions.MlflowException, OSError, import_module("sqlalchemy.exc").SQLAlchemyError)
            try:
                with _pointed_at(mlflow, self.uri):
                    found = self._record(mlflow, run)
            except faults as fault:
                self.lost = f"MLflow at {self.uri}: {str(fault).splitlines()[0][:200]}"
                return None
        self.lost = None
        return found

    def _record(self, mlflow: Any, run: RunRecord) -> str:
        client = mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        experiment = self._experiment(client, f"vpp/{run.plant}")
        parent = client.create_run(experiment, run_name=run.name, tags={"vpp.plant": run.plant})
        run_id: str = parent.info.run_id
        metric, param = mlflow.entities.Metric, mlflow.entities.Param
        params = [param(name, str(value)[:500]) for name, value in run.params.items()]
        client.log_batch(
            run_id, metrics=[metric(n, v, 0, 0) for n, v in run.metrics.items()], params=params[:_MOST_PARAMS]
        )
        for source in run.sources:
            child = client.create_run(
                experiment,
                run_name=str(source.key),
                tags={"mlflow.parentRunId": run_id, "vpp.champion": source.champion, "vpp.reason": source.reason},
            )
            values = [
                metric(name, value, 0, fold)
                for name, folds in source.metrics.items()
                for fold, value in enumerate(folds)
                if value is not None
            ]
            facts = [param("members", ", ".join(source.members)[:500]), param("champion", source.champion)]
            client.log_batch(child.info.run_id, metrics=values[:_MOST_METRICS], params=facts)
            client.set_terminated(child.info.run_id)
        if run.sources:
            client.log_text(run_id, chart(run.sources), "plots/pinball.html")
        if run.artefact is not None:
            self._register(mlflow, client, run, run_id)
        client.set_terminated(run_id)
        return run_id

    def _experiment(self, client: Any, name: str) -> str:
        known = client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        location = None
        if self.artefacts is not None:
            self.artefacts.mkdir(parents=True, exist_ok=True)
            location = self.artefacts.as_uri()
        return str(client.create_experiment(name, artifact_location=location))

    def _register(self, mlflow: Any, client: Any, run: RunRecord, run_id: str) -> None:
        """Log the fitted models as one that ``mlflow.pyfunc`` loads, and give it the alias."""
        with mlflow.start_run(run_id=run_id):
            made = mlflow.pyfunc.log_model(
                name="serving",
                loader_module="vpp.forecasting.served_model",
                data_path=str(run.artefact),
                pip_requirements=["vpp"],
            )
        if not client.search_registered_models(filter_string=f"name = '{run.registered}'"):
            client.create_registered_model(run.registered)
        version = client.create_model_version(run.registered, made.model_uri, run_id)
        client.set_registered_model_alias(run.registered, ALIAS, version.version)


def chart(sources: Sequence[SourceRecord]) -> str:
    """Return a page with one row per series: the mean pinball loss of each model over the combination's.

    It needs no script and no other file, so that it stays small however often it is kept.
    """
    rows = []
    for source in sources:
        means = {
            name.split("/", 1)[1]: sum(known) / len(known)
            for name, values in source.metrics.items()
            if name.startswith("pinball/") and (known := [value for value in values if value is not None])
        }
        base = means.get("median")
        if not base:
            continue
        dots = "".join(_dot(name, mean / base, mean, name == source.champion) for name, mean in means.items())
        axis = '<line x1="200" x2="200" y1="0" y2="28" stroke="#0b0b0b" stroke-dasharray="2 3"/>'
        rows.append(
            f"<tr><td>{escape(str(source.key))}</td><td>{escape(source.champion)}</td>"
            f'<td><svg width="600" height="28" role="img">{axis}{dots}</svg></td></tr>'
        )
    return (
        "<!doctype html><meta charset='utf-8'><title>Pinball loss</title>"
        "<style>body{font:14px system-ui,sans-serif}td{padding:0 1em 0 0}</style>"
        "<p>Mean pinball loss over the folds, left is better; the dotted line is the combination. "
        "The champion is green; hover for names and values.</p>"
        f"<table><tr><th align=left>series</th><th align=left>champion</th><th></th></tr>{''.join(rows)}</table>"
    )


def _dot(name: str, ratio: float, mean: float, champion: bool) -> str:
    place = min(max(40 + 160 * ratio, 44), 596)
    radius, colour = (6, "#009e73") if champion else (4, "#999999")
    title = f"<title>{escape(name)}: {mean:.4g}</title>"
    return f'<circle cx="{place:.0f}" cy="14" r="{radius}" fill="{colour}">{title}</circle>'


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings, log lines and progress bars of MLflow and its database away from the user's screen."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    before = [logger.level for logger in loggers]
    settings = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": QUIET_S,
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("mlflow")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


@contextmanager
def _pointed_at(mlflow: Any, uri: str) -> Iterator[None]:
    """Let MLflow's global functions use a server for a while."""
    setters: tuple[Callable[[str], None], ...] = (mlflow.set_tracking_uri, mlflow.set_registry_uri)
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    for setter in setters:
        setter(uri)
    try:
        yield
    finally:
        for setter, old in zip(setters, before, strict=True):
            setter(old)
