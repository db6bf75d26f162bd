"""VPPConfig: loading, the report kept, the schema a program can use, and what an invalid file refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vpp.config import BUILTIN_PLANTS, VPPConfig
from vpp.config.builtin import builtin_path
from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError

VALID = {"name": "Shed", "resources": [{"name": "roof", "type": "solar", "peak_power": 4}]}
INVALID: dict[str, Any] = {"name": "Shed", "timezone": "Mars", "sites": []}


@pytest.mark.parametrize("name", sorted(BUILTIN_PLANTS))
def test_a_builtin_plant_goes_by_its_name(name: str) -> None:
    assert VPPConfig.load(name).path == builtin_path(name)


def test_a_path_is_loaded_and_a_strange_name_is_not(tmp_path: Path) -> None:
    path = tmp_path / "shed.json"
    path.write_text(json.dumps(VALID))
    assert VPPConfig.load(str(path)).plant.id == "shed"
    with pytest.raises(UnknownNameError, match="no plant called 'home'; did you mean: homes"):
        VPPConfig.load("home")
    with pytest.raises(UnreadableFileError, match="No such file"):
        VPPConfig.load(str(tmp_path / "none.yaml"))


def test_an_invalid_file_gives_no_plant_and_names_its_first_fault() -> None:
    config = VPPConfig(INVALID)
    for use in (lambda: config.file, lambda: config.plant, lambda: config.history_paths):
        with pytest.raises(InvalidInputError, match=r"timezone: got 'Mars', expected .*\(and 1 more\)") as caught:
            use()
        assert caught.value.field == "timezone"


def test_the_check_is_made_once_and_leaves_the_content_alone() -> None:
    raw = json.loads(json.dumps(VALID))
    config = VPPConfig(raw)
    assert config.validate() is config.validate()
    assert config.raw == VALID


def test_a_range_that_only_the_nouns_hold_is_still_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise InvalidInputError("b.cop", 3, "0.1 to 2")

    monkeypatch.setattr("vpp.config.vpp_config._plant", refuse)
    (issue,) = VPPConfig(VALID).validate().errors
    assert str(issue) == "b.cop: must be 0.1 to 2 (got 3)"


# --- the schema: a program that knows JSON Schema reads the same rules


def check(value: Any, schema: dict[str, Any], defs: dict[str, Any], path: str = "$") -> list[str]:
    """Check a value against the keywords that the schema uses, and return where it fails."""
    if "$ref" in schema:
        return check(value, defs[schema["$ref"].removeprefix("#/$defs/")], defs, path)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and not any(check(value, option, defs, path) == [] for option in schema[keyword]):
            return [f"{path}: none of {keyword}"]
    types = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}
    kind = schema.get("type")
    if kind == "null":
        return [] if value is None else [path]
    if kind is not None and (not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{path}: no {kind}"]
    found = [] if "const" not in schema or value == schema["const"] else [f"{path}: not {schema['const']}"]
    found += [] if value in schema.get("enum", [value]) else [f"{path}: not in {schema['enum']}"]
    if kind in ("number", "integer"):
        within = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        found += [] if within and value > schema.get("exclusiveMinimum", value - 1) else [f"{path}: out of range"]
    if kind == "object":
        known = schema.get("properties", {})
        found += [f"{path}.{key}: required" for key in schema.get("required", []) if key not in value]
        found += [f"{path}.{key}: unknown" for key in value if key not in known]
        found += [
            fault for key in known if key in value for fault in check(value[key], known[key], defs, f"{path}.{key}")
        ]
    if kind == "array":
        items = schema.get("items", {})
        found += [fault for i, part in enumerate(value) for fault in check(part, items, defs, f"{path}[{i}]")]
    return found


def schema_faults(raw: Any) -> list[str]:
    schema = VPPConfig.json_schema()
    return check(raw, schema, schema["$defs"])


@pytest.mark.parametrize("name", sorted(BUILTIN_PLANTS))
def test_the_builtin_plants_keep_to_the_schema(name: str) -> None:
    assert schema_faults(yaml.safe_load(builtin_path(name).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"nmae": 1}, "$.nmae: unknown"),
        ({"control": "yes"}, "$.control: no boolean"),
        ({"planning": {"horizon": -3}}, "$.planning.horizon: none of anyOf"),
        ({"sites": [{"assets": []}]}, "$.sites[0].id: required"),
        ({"sites": [{"id": "s", "assets": [{"kind": "load"}]}]}, "$.sites[0].assets[0]: none of oneOf"),
    ],
)
def test_the_schema_refuses_what_the_check_refuses(change: dict[str, Any], fault: str) -> None:
    raw = {"name": "Shed", "sites": [{"id": "s", "assets": [{"kind": "load", "id": "l"}]}], **change}
    assert fault in schema_faults(raw)
    assert not VPPConfig(raw).validate().is_valid


def parts(node: Any) -> list[dict[str, Any]]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [*([node] if isinstance(node, dict) else []), *(part for child in below for part in parts(child))]


def test_the_schema_is_whole() -> None:
    schema = VPPConfig.json_schema()
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    assert {"name", "sites", "prices", "planning", "history"} <= set(schema["properties"])
    assert "import" in schema["$defs"]["Prices"]["properties"]
    for part in parts(schema):
        assert part.get("$ref", "#/$defs/Prices").removeprefix("#/$defs/") in schema["$defs"]
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert all(key in part["properties"] for key in part.get("required", []))
            undescribed = [
                name for name, field in part["properties"].items() if not ({"description", "const"} & set(field))
            ]
            assert set(undescribed) <= {"kind"}
