"""A text names a source: a file, or a URL of a package's scheme."""

import importlib.metadata
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from penstock.core import ParameterError
from penstock.data.sources import DeltaSource, FileSource, KafkaSource, _open, open_source


class Meters:
    name, time = "meters", None

    def __init__(self, text):
        self.text = text

    def describe(self):
        return {"name": self.name}

    def fingerprint(self):
        return {}

    def scan(self, since=None, cutoff=None):
        return []


@pytest.fixture
def installed(monkeypatch):
    points = [
        EntryPoint("meters", f"{__name__}:Meters", _open.GROUP),
        EntryPoint("torn", "no.such.module:Source", _open.GROUP),
        EntryPoint("dict", "builtins:str", _open.GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)


def test_files_are_files(tmp_path):
    assert open_source("a/*.csv", folder=tmp_path) == FileSource(f"{tmp_path}/a/*.csv")


def test_the_folder_of_a_delta_table_is_one(tmp_path):
    (tmp_path / "rides" / "_delta_log").mkdir(parents=True)
    assert open_source("rides", folder=tmp_path) == DeltaSource(f"{tmp_path}/rides")


def test_a_topic_is_named_by_its_broker():
    source = open_source("kafka://b1:9092,b2:9092/rides")
    assert source == KafkaSource("b1:9092,b2:9092", topic="rides")
    with pytest.raises(ParameterError, match="names no topic"):
        open_source("kafka://b1:9092")


@pytest.mark.parametrize("text", ["s3://bucket/a/*.parquet", "https://host/a.csv", "gs://b/a.csv"])
def test_urls_of_files_are_files(text):
    assert open_source(text) == FileSource(text)


def test_a_scheme_of_a_package_is_asked(installed):
    source: Any = open_source("meters://north?x=1")
    assert source.text == "meters://north?x=1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metres://north", "scheme metres://.*Did you mean 'meters'"),
        ("torn://x", "torn:// of no.such.module:Source cannot be loaded.*no"),
        ("dict://x", "builtins:str returned str for dict://, which is no data source"),
    ],
)
def test_what_cannot_be_opened_is_named(installed, text, words):
    with pytest.raises(ParameterError, match=words):
        open_source(text)
