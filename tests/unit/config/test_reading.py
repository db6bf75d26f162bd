"""Reading a plant file: three formats with one content, and only the unreadable is refused, with what and where."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.config import VPPConfig
from vpp.config.reading import LARGEST_FILE_BYTES, read_mapping
from vpp.core.errors import UnreadableFileError

YAML = "name: Shed\nresources:\n  - {name: roof, type: solar, peak_power: 4}\n"
JSON = '{"name": "Shed", "resources": [{"name": "roof", "type": "solar", "peak_power": 4}]}'
TOML = 'name = "Shed"\n[[resources]]\nname = "roof"\ntype = "solar"\npeak_power = 4\n'
CONTENT = json.loads(JSON)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.yaml", YAML),
        ("p.yml", YAML),
        ("p.YAML", YAML),
        ("p.json", JSON),
        ("p.toml", TOML),
        ("p.yaml", "\ufeff" + YAML),
        ("p.json", "\ufeff" + JSON),
    ],
)
def test_every_format_gives_the_same_content(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path, name, text)
    assert read_mapping(path) == CONTENT
    assert VPPConfig.from_file(path).validate().is_valid
    assert VPPConfig.from_file(str(path)).plant.id == "shed"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("p.txt", YAML, r"expected a name ending in \.yaml, \.yml, \.json, \.toml"),
        ("p", YAML, "expected a name ending in"),
        ("p.yaml", "", "it is empty"),
        ("p.yaml", "# nothing yet\n", "it is empty"),
        ("p.json", "", "Expecting value: line 1"),
        ("p.json", "null", "it is empty"),
        ("p.yaml", "- name: Shed\n", "expected a mapping of settings, found list"),
        ("p.json", "[1, 2]", "found list"),
        ("p.yaml", "just text", "found str"),
        ("p.yaml", b"\x89PNG\r\n\x1a\n\x00\x00", r"not UTF-8 text \(byte 0\)"),
        ("p.yaml", "name: Shed".encode("utf-16"), r"not UTF-8 text \(byte 0\)"),
        ("p.yaml", b"name: Sh\x00ed", "special characters are not allowed"),
        ("p.yaml", "name: [Shed\n", "line 2"),
        ("p.yaml", "name: Shed\n  id: x\n", "line 2"),
        ("p.toml", "name = Shed\n", "line 1"),
        ("p.json", '{"name": "Shed",}', "line 1"),
        ("p.yaml", "name: Shed\nname: Barn\n", "the key 'name' stands twice.*line 2"),
        ("p.yaml", "a:\n  - {b: 1, c: 2, b: 3}\n", "the key 'b' stands twice.*line 2"),
        ("p.json", '{"name": "Shed", "name": "Barn"}', "the key 'name' stands twice"),
        ("p.toml", 'name = "Shed"\nname = "Barn"\n', "Cannot overwrite"),
        ("p.yaml", "? [a, b]\n: c\n", "a key must be text"),
        ("p.yaml", "? {a: b}\n: c\n", "a key must be text"),
        ("p.yaml", "name: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("p.yaml", "name: !!int x\n", "invalid literal"),
        ("p.yaml", "since: 2016-13-45\n", "month must be in 1..12"),
        ("p.yaml", "name: " + "9" * 5000, "Exceeds the limit"),
        ("p.json", '{"name": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ("p.yaml", "[" * 1000, "nested too deeply"),
        ("p.json", "[" * 100_000, "nested too deeply"),
        ("p.toml", "a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_the_unreadable_is_refused_with_the_reason(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(UnreadableFileError, match=why) as caught:
        VPPConfig.from_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        VPPConfig.from_file(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UnreadableFileError, match="is a directory"):
        VPPConfig.from_file(tmp_path / "folder.yaml")
    with pytest.raises(UnreadableFileError, match="null"):
        VPPConfig.from_file("zero\0byte.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UnreadableFileError, match="is not a regular file"):  # and does not wait for a writer
        VPPConfig.from_file(tmp_path / "pipe.yaml")


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (1, True)])
def test_the_largest_file(tmp_path: Path, extra: int, refused: bool) -> None:
    path = written(tmp_path, "p.json", JSON + " " * (LARGEST_FILE_BYTES - len(JSON) + extra))
    if refused:
        with pytest.raises(UnreadableFileError, match="larger than 4000000 bytes"):
            read_mapping(path)
    else:
        assert read_mapping(path) == CONTENT


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    text = "base: &base {type: solar, peak_power: 4}\none: {<<: *base, name: a}\ntwo: {<<: *base, peak_power: 5}\n"
    content = read_mapping(written(tmp_path, "p.yaml", text))
    assert content["one"] == {"type": "solar", "peak_power": 4, "name": "a"}
    assert content["two"] == {"type": "solar", "peak_power": 5}


def test_a_file_full_of_faults_is_still_read(tmp_path: Path) -> None:
    config = VPPConfig.from_file(written(tmp_path, "p.yaml", "nmae: 3\nsites: {a: 1}\n"))
    assert {issue.path for issue in config.validate().errors} == {"name", "sites", "nmae"}


@given(noise=st.binary(max_size=60), suffix=st.sampled_from([".yaml", ".json", ".toml"]))
def test_whatever_the_bytes_it_is_a_mapping_or_an_unreadable_file(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, suffix: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), f"noise{suffix}", noise)
    try:
        content = read_mapping(path)
    except UnreadableFileError:
        return
    VPPConfig(content).validate()
