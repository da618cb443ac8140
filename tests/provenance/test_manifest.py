"""A manifest tells code, environment and hardware, and what differs from another."""

from dataclasses import replace

import pytest

from penstock.provenance import SourceTree, build_manifest, manifest_difference, unrecorded
from penstock.provenance._manifest import hide_secrets

TREE = SourceTree({"a.py": b"1"}, commit="c" * 40, branch="main", dirty=True, diff="+1")


def test_a_manifest_has_code_environment_and_hardware(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    manifest = build_manifest(TREE, {"a.py": "sha256:1"})
    assert manifest["code"] == {
        "commit": "c" * 40,
        "branch": "main",
        "dirty": True,
        "diff": "+1",
        "files": {"a.py": "sha256:1"},
        "left_out": [],
        "outside": [],
        "folders": [],
    }
    assert manifest["hash_seed"] == "0"
    assert manifest["warnings"] == []
    assert {"environment", "hardware", "argv"} <= manifest.keys()


@pytest.mark.parametrize("value", [None, "random"])
def test_a_random_hash_seed_is_warned_of(monkeypatch, value):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    if value:
        monkeypatch.setenv("PYTHONHASHSEED", value)
    manifest = build_manifest(TREE, {})
    assert manifest["hash_seed"] is None
    assert "PYTHONHASHSEED" in manifest["warnings"][0]


def test_differences_are_named_one_by_one():
    one = {"code": {"files": {"a.py": "sha256:" + "1" * 64}}, "environment": {"python": "3.11"}}
    two = {"code": {"files": {"b.py": "sha256:" + "2" * 64}}, "environment": {"python": "3.12"}}
    assert manifest_difference(one, two) == [
        "code files a.py: 111111111111, then nothing",
        "code files b.py: nothing, then 222222222222",
        "environment python: 3.11, then 3.12",
    ]
    assert manifest_difference(one, one) == []


def test_long_values_are_shortened():
    [line] = manifest_difference({"diff": "x" * 500}, {"diff": ""})
    assert len(line) < 120


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--lr", "0.1", "data.csv"], ["--lr", "0.1", "data.csv"]),
        (["--password", "hush", "-v"], ["--password", "…", "-v"]),
        (["--hf-token=abc"], ["--hf-token=…"]),
        (["api_key=abc"], ["api_key=…"]),
        (["--set", "db=postgresql://me:hush@host/db"], ["--set", "db=postgresql://me:…@host/db"]),
        (["AKIAABCDEFGHIJKLMNOP"], ["…"]),
        (["--tokenizer", "--fast"], ["--tokenizer", "--fast"]),
    ],
)
def test_secrets_of_a_command_line_are_not_recorded(words, shown):
    assert hide_secrets(words) == shown


def test_sources_that_are_not_recorded_are_named():
    tree = replace(TREE, left_out=("big.py",))
    large, outside = unrecorded(tree, ["/lib/helper.py"])
    assert "big.py" in large
    assert "/lib/helper.py" in outside
    assert unrecorded(TREE, []) == []
