"""What is wrong with a YAML file is told with its line, quickly."""

import time
from pathlib import Path

import pytest
from unit.shared import ROOT, refuses

from gaia_offsets.core.yamlfile import YamlError, read_yaml


def bomb(first: str, last: str) -> str:
    """Nine levels, each nine times the one before: 387 million values."""
    levels = [f"a0: &a0 {first}1, y{last}"]
    keys = "k0: {0}, k1: {0}, k2: {0}, k3: {0}, k4: {0}, k5: {0}, k6: {0}, k7: {0}, k8: {0}"
    items = ", ".join(["{0}"] * 9)
    for level in range(1, 10):
        inner = (keys if first == "{" else items).format(f"*a{level - 1}")
        levels.append(f"a{level}: &a{level} {first}{inner}{last}")
    return "\n".join(levels).replace("{1, y}", "{x: 1, y: 2}")


ROWS = [
    ("run:\n  samples: [a]\n name: b\n", "3: not YAML: .*; look at indentation"),
    ("run:\n  name: b\n   samples: [a]\n", "3: not YAML: mapping values are not allowed here; look at"),
    ("run:\n\tname: b\n", "2: not YAML: found character '.t' that cannot start any token; look at"),
    ("run: {samples: [a}\n", "1: not YAML: expected ',' or ']', but got '}'"),
    ("run: 'a\n", "2: not YAML: found unexpected end of stream"),
    ("a: *b\n", "1: not YAML: found undefined alias 'b'"),
    ("a: 1\n---\nb: 2\n", "2: not YAML: but found another document"),
    ("a: !!python/object/apply:os.getcwd []\n", "1: not YAML: could not determine a constructor"),
    ("a: \x00\n", " not YAML: unacceptable character"),
    ("a: {x: 1, x: 2}\n", "1: the key 'x' stands in line 1 already"),
    ("a:\n  x: 1\n  'x': 2\n", "3: the key 'x' stands in line 2 already"),
    ("run: &a [*a]\n", "1: the anchor of this value refers to itself"),
    ("run:\n  name: &a {b: *a}\n", "2: the anchor of this value refers to itself"),
    # 3 values in line 1, then 9 times as many and 1: 184,528 in line 6; of maps 5, with keys: 369,055.
    (bomb("[", "]"), "7: its aliases make more than 200000 values"),
    (bomb("{", "}"), "6: its aliases make more than 200000 values"),
    ("- " * 600, " nested too deeply"),
]


@pytest.mark.parametrize(("text", "line"), ROWS, ids=[line for _, line in ROWS])
def test_each_fault_has_its_line(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    began = time.monotonic()
    with pytest.raises(YamlError, match=f"^{path}:{line}") as caught:
        read_yaml(path)
    assert time.monotonic() - began < 5 and len(str(caught.value).splitlines()) == 1


def test_other_files_and_sound_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xe9\n")
    refuses("byte 3 is no text; save the file as UTF-8", read_yaml, path, error=YamlError)
    refuses(r"nowhere\.yaml: No such file", read_yaml, tmp_path / "nowhere.yaml", error=YamlError)
    refuses("Is a directory", read_yaml, tmp_path, error=YamlError)
    path.write_text("\ufeffa: &a {x: 1}\nb: {<<: *a, y: *a}\nc: {<<: *a, x: 2}\n", encoding="utf-8")
    assert read_yaml(path) == {"a": {"x": 1}, "b": {"x": 1, "y": {"x": 1}}, "c": {"x": 2}}
    path.write_text("# nothing\n")
    assert read_yaml(path) is None
    for ours in sorted((ROOT / "config").glob("*.yaml")):
        assert read_yaml(ours)
    path.write_text("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    with pytest.raises(YamlError, match=r"x\.yaml:2: .*\n.*x\.yaml:3: "):  # all at once
        read_yaml(path)
