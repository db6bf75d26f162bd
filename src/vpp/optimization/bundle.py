"""Decision bundles: one file with what was asked, how, by which versions, and what came of it; re-solves elsewhere.

The file is a zip of four JSON members, readable with any archive tool: ``manifest.json``, ``problem.json``,
``options.json`` and ``result.json``. The manifest holds the SHA-256 of each of the others and one over all of that,
the content hash. Whoever edits the file and writes new hashes changes the content hash: keep it elsewhere to prove that
a bundle is the one that was saved.
Invariant: the same decision gives the same bytes; what is read back is what was saved, or an error.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError, VppError
from vpp.core.messages.planned import Schedule
from vpp.core.ports import Planner
from vpp.core.time import zone
from vpp.optimization.bundle_archive import MANIFEST, OPTIONS, PROBLEM, RESULT, read_members, write_members
from vpp.optimization.bundle_codec import decode, encode
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.problem import PlanProblem
from vpp.optimization.rules import IdlePlanner, RulePlanner

KIND = "vpp decision bundle"
FORMAT = 1
SHORTEST_RESOLVE_S = 60.0
OBJECTIVE_TOLERANCE = 1e-9
POWER_TOLERANCE_KW = 1e-9
PACKAGES = ("vpp", "highspy", "numpy", "pulp")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """How a decision was made and how to speak of it.

    Parameters
    ----------
    planner : str
        ``linear``, ``pulp``, ``rule`` or ``no_battery``.
    time_limit_s : float
        For the solver, above 0.
    currency : str
        Code of the prices, e.g. ``EUR``.
    timezone : str
        IANA zone of the plant's clock.
    """

    planner: str = "linear"
    time_limit_s: float = 30.0
    currency: str = "EUR"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Check every field."""
        if not (isinstance(self.time_limit_s, (int, float)) and 0.0 < self.time_limit_s < np.inf):
            raise InvalidInputError("options.time_limit_s", self.time_limit_s, "a finite time above 0 [s]")
        for name in ("planner", "currency", "timezone"):
            if not isinstance(getattr(self, name), str):
                raise InvalidInputError(f"options.{name}", getattr(self, name), "a word")
        zone(self.timezone, field="options.timezone")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan made again, beside the one that was saved.

    Parameters
    ----------
    same_status : bool
        Both came about in the same way.
    objective_difference : float or None
        New cost minus old [currency]; None when one of them has no plan.
    largest_power_difference_kw : float
        Over all steps and assets; NaN when one of them has no plan.
    versions_differ : tuple of str
        What was of another version then, e.g. ``highspy 1.11.0, here 1.15.1``.
    same : bool
        The same decision: same status and cost; and the same powers too where the versions agree.
    words : str
        All of that as a sentence.
    """

    same_status: bool
    objective_difference: float | None
    largest_power_difference_kw: float
    versions_differ: tuple[str, ...]
    same: bool
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A decision, complete.

    Parameters
    ----------
    problem : PlanProblem
        What was asked.
    schedule : Schedule
        What was answered.
    options : BundleOptions
        How.
    versions : mapping of str to str
        Of vpp, its solver, numpy, Python and the platform at that time.
    content_hash : str
        SHA-256 over all of it, hexadecimal.
    """

    problem: PlanProblem
    schedule: Schedule
    options: BundleOptions
    versions: Mapping[str, str]
    content_hash: str

    def resolve(self, planner: Planner[PlanProblem] | None = None) -> Schedule:
        """Return the plan made again here; by default with the planner of then, given a minute at least.

        Raises
        ------
        UnknownNameError
            When the planner of then is not among those of vpp; give one.
        """
        return (planner or _planner(self.options)).plan(self.problem)

    def compare(self, again: Schedule) -> Comparison:
        """Return how a plan made again differs from the one that was saved."""
        old, here = self.schedule, versions_here()
        matters = ("vpp", "numpy", "pulp" if self.options.planner == "pulp" else "highspy")
        differ = tuple(
            f"{name} {then}, here {here.get(name, 'none')}"
            for name, then in self.versions.items()
            if name in matters and here.get(name) != then
        )
        same_status = old.status is again.status
        shown, shown_again = old.least_violation or old, again.least_violation or again
        difference = None
        power = np.nan
        if shown.objective is not None and shown_again.objective is not None:
            difference = shown_again.objective - shown.objective
            power = float(np.max(np.abs(shown_again.power_kw - shown.power_kw), initial=0.0))
        scale = max(1.0, abs(shown.objective or 0.0))
        same_cost = difference is None or abs(difference) <= OBJECTIVE_TOLERANCE * scale
        if difference is None:
            same_cost = shown.objective is None and shown_again.objective is None
        same_power = difference is None or power <= POWER_TOLERANCE_KW
        same = same_status and same_cost and (same_power or bool(differ))
        words = _words(old, again, same_cost=same_cost, difference=difference, power_kw=power)
        if differ:
            words += f"; versions differ: {', '.join(differ)}"
        return Comparison(same_status, difference, power, differ, same, words)


def _words(old: Schedule, again: Schedule, *, same_cost: bool, difference: float | None, power_kw: float) -> str:
    """Return a comparison in words."""
    if old.status is not again.status:
        return f"the plan was {old.status}, made again it is {again.status}" + (
            f" ({again.message})" if again.message else ""
        )
    if not same_cost:
        more = "one of them has no plan" if difference is None else f"it differs by {difference:.6g}"
        return f"made again, the plan is {again.status} but its cost is not the same: {more}"
    if difference is not None and power_kw > POWER_TOLERANCE_KW:
        return f"made again, the plan costs the same; its powers differ by up to {power_kw:.4g} kW"
    return f"made again, the plan is the same ({again.status})"


def _planner(options: BundleOptions) -> Planner[PlanProblem]:
    """Return the planner that some options name."""
    limit_s = max(options.time_limit_s, SHORTEST_RESOLVE_S)

    def by_pulp() -> Planner[PlanProblem]:
        # an optional extra
        from vpp.optimization.pulp_backend import PulpPlanner

        return PulpPlanner(time_limit_s=limit_s)

    planners: dict[str, Callable[[], Planner[PlanProblem]]] = {
        "linear": lambda: LinearPlanner(time_limit_s=limit_s),
        "pulp": by_pulp,
        "rule": RulePlanner,
        "no_battery": IdlePlanner,
    }
    if options.planner not in planners:
        raise UnknownNameError("planner", options.planner, planners)
    return planners[options.planner]()


def versions_here() -> dict[str, str]:
    """Return the versions that a plan may depend on, of this machine."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"python": platform.python_version(), "platform": platform.platform()}


def save_bundle(path: Path, problem: PlanProblem, schedule: Schedule, options: BundleOptions) -> str:
    """Write a decision to one file, whole or not at all, and return its content hash.

    Raises
    ------
    InvalidInputError
        When the schedule is no answer to the problem, when they hold what no file can give back, or when they are too
        large to be read again.
    UnreadableFileError
        When the file cannot be written.
    """
    if not _fits(problem, schedule):
        raise InvalidInputError("schedule", schedule.plant, "an answer to the problem: its grid, sites and shapes")
    parts = {
        PROBLEM: _text(encode(problem, field="problem")),
        OPTIONS: _text(encode(options, field="options")),
        RESULT: _text(encode(schedule, field="schedule")),
    }
    manifest: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "versions": versions_here(),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()},
    }
    manifest["content_sha256"] = _content_hash(manifest)
    members = {MANIFEST: _text(manifest)} | parts
    write_members(path, members)
    return str(manifest["content_sha256"])


def _text(document: dict[str, Any]) -> bytes:
    """Return an object as JSON with a line for each of its fields."""
    lines = [f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _content_hash(manifest: Mapping[str, Any]) -> str:
    """Return the hash over everything that a manifest says, and thereby over every member."""
    said = {name: value for name, value in manifest.items() if name != "content_sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def load_bundle(path: Path) -> Bundle:
    """Return the decision that a file holds, after its hashes were checked.

    Raises
    ------
    UnreadableFileError
        When the file is missing, no bundle, damaged, cut short, edited, too large, or of a newer format.
    """
    path = Path(path)
    members = read_members(path)
    manifest = _json(path, MANIFEST, members[MANIFEST])
    _check(path, manifest, members)
    parts = {}
    kinds: dict[str, type[Any]] = {PROBLEM: PlanProblem, OPTIONS: BundleOptions, RESULT: Schedule}
    for name, kind in kinds.items():
        parts[name] = _decoded(path, name, _json(path, name, members[name]), kind)
    bundle = Bundle(parts[PROBLEM], parts[RESULT], parts[OPTIONS], manifest["versions"], manifest["content_sha256"])
    if not _fits(bundle.problem, bundle.schedule):
        raise UnreadableFileError(str(path), f"{RESULT} is no answer to {PROBLEM}: grid, sites or shapes differ")
    return bundle


def _fits(problem: PlanProblem, schedule: Schedule) -> bool:
    """Return whether a schedule has the grid of its problem and columns of one shape."""
    per_asset = (problem.grid.count, len(schedule.asset_ids))
    per_site = (problem.grid.count, len(problem.site_ids))
    shapes = {getattr(schedule, name).shape == per_asset for name in ("power_kw", "soc", "code", "limit")}
    shapes |= {getattr(schedule, name).shape == per_site for name in ("import_kw", "export_kw", "curtailed_kw")}
    shapes |= {schedule.marginal_value_per_kwh.shape == per_asset, schedule.energy_price_per_kwh.shape == per_site}
    nested = schedule.least_violation
    matches = schedule.grid == problem.grid and schedule.site_ids == problem.site_ids and shapes == {True}
    return matches and (nested is None or _fits(problem, nested))


def _json(path: Path, name: str, content: bytes) -> dict[str, Any]:
    """Return a member as an object."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise UnreadableFileError(str(path), f"{name} is no JSON ({fault})") from fault
    if not isinstance(document, dict):
        raise UnreadableFileError(str(path), f"{name} holds no object")
    return document


def _check(path: Path, manifest: dict[str, Any], members: Mapping[str, bytes]) -> None:
    """Check kind, format and every hash."""
    if manifest.get("kind") != KIND or not isinstance(manifest.get("format"), int):
        raise UnreadableFileError(str(path), "not a decision bundle: its manifest does not say so")
    versions = manifest.get("versions")
    if manifest["format"] != FORMAT:
        writer = versions.get("vpp", "?") if isinstance(versions, dict) else "?"
        why = f"its format is {manifest['format']}, written by vpp {writer}; this program reads {FORMAT}: upgrade vpp"
        raise UnreadableFileError(str(path), why)
    stated = manifest.get("sha256")
    for name in (PROBLEM, OPTIONS, RESULT):
        if not isinstance(stated, dict) or stated.get(name) != hashlib.sha256(members[name]).hexdigest():
            raise UnreadableFileError(str(path), f"{name} is not what was saved: its hash does not match")
    if manifest.get("content_sha256") != _content_hash(manifest):
        raise UnreadableFileError(str(path), f"{MANIFEST} is not what was saved: its hash does not match")
    if not isinstance(versions, dict) or not all(isinstance(value, str) for value in versions.values()):
        raise UnreadableFileError(str(path), f"{MANIFEST} holds no versions")


def _decoded(path: Path, name: str, document: dict[str, Any], kind: type[T]) -> T:
    """Return what a member says."""
    try:
        return decode(document, kind, field=name.removesuffix(".json"))
    except (VppError, RecursionError) as fault:
        raise UnreadableFileError(str(path), f"{name} holds no {kind.__name__}: {fault}") from fault
