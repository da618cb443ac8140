"""Ids, clock, durations, settings, optional packages and lazy names."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import core
from penstock.core import (
    MissingPackageError,
    ParameterError,
    SettingsError,
    find_project,
    lazy_exports,
    new_id,
    now,
    parse_duration,
    require,
    require_name,
    set_clock,
    settings,
)


def test_ids_are_unique_and_sort_by_time():
    ids = [new_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(len(name) == 20 for name in ids)
    assert [name[:9] for name in ids] == sorted(name[:9] for name in ids)


@pytest.mark.parametrize("name", ["big-tips", "v1.2_x", "A"])
def test_legal_names_pass(name):
    assert require_name(name, "model") == name


@pytest.mark.parametrize(
    ("name", "proposal"),
    [("big tips", "big-tips"), ("../x", "x"), ("", "my-model"), ("é", "my-model")],
)
def test_illegal_names_get_a_proposal(name, proposal):
    with pytest.raises(ParameterError, match="is no legal name for a model") as caught:
        require_name(name, "model")
    assert repr(proposal) in caught.value.fix


def test_the_clock_can_be_replaced():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    set_clock(lambda: moment)
    try:
        assert now() == moment
    finally:
        set_clock(None)
    assert now().tzinfo is UTC
    assert now() != moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("1h30m", 5400),
        ("2 days", 172_800),
        ("90", 90),
        (5, 5),
        ("250ms", 0.25),
        ("1 week", 604_800),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["soon", "10 parsecs", "", "m10"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ParameterError, match="is no duration"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.sampled_from(["s", "m", "h", "d"]))
def test_a_duration_is_its_number_times_its_unit(number, unit):
    size = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    assert parse_duration(f"{number}{unit}").total_seconds() == number * size


def test_arguments_beat_the_environment_and_that_beats_pyproject(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.penstock]\nstore = "sqlite:///from-file.db"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    assert settings().store.value == "sqlite:///from-file.db"
    assert "pyproject" in settings().store.origin
    monkeypatch.setenv("PENSTOCK_STORE", "sqlite:///from-environment.db")
    assert settings().store.origin == "environment variable PENSTOCK_STORE"
    assert settings("sqlite:///given.db").store == core.Setting("sqlite:///given.db", "argument")


def test_without_any_setting_the_store_is_in_the_project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    assert settings().project == tmp_path
    assert settings().store.value == f"sqlite:///{tmp_path}/.penstock/penstock.db"


def test_a_bare_folder_is_its_own_project(tmp_path):
    assert find_project(tmp_path) == tmp_path


@pytest.mark.parametrize("text", ["not toml [", "[tool.penstock]\nstore = 3\n"])
def test_a_broken_pyproject_is_told(tmp_path, monkeypatch, text):
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    with pytest.raises(SettingsError, match=r"pyproject\.toml"):
        settings()


def test_a_missing_package_names_its_extra():
    assert require("json", extra="x", purpose="y") is json
    with pytest.raises(MissingPackageError, match="no_such_package is not installed") as caught:
        require("no_such_package", extra="boosters", purpose="boosting")
    assert 'pip install "penstock[boosters]"' in caught.value.fix


def test_lazy_names_load_on_use_and_others_are_refused():
    load, listing, names = lazy_exports("penstock.core", {"new_id": "_ids"})
    assert load("new_id") is new_id
    assert listing() == names == ["new_id"]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        load("nothing")
