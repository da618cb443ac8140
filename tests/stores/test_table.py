"""The table of model formats: chosen by class when written, by the record when read."""

from importlib.metadata import EntryPoint

import pytest
from sklearn.linear_model import LogisticRegression

from penstock.core import SerializationError
from penstock.models import require_safe
from penstock.stores import ModelFormat, Serialized, StoredModel, find_model_format, open_store
from penstock.stores.artifacts.models import _table


class Slope:
    """A model of a package of its own."""

    def __init__(self, slope: float) -> None:
        self.slope = slope


class Table:
    """No format."""


class SlopeFormat:
    """A format that a package brings."""

    name = "slopes"
    is_safe = True

    def can_write(self, value):
        return isinstance(value, Slope)

    def write(self, value, content_digest):
        return Serialized(value.slope.hex().encode(), self.name, content_digest, "Slope")

    def read(self, stored: StoredModel):
        return Slope(float.fromhex(stored.data.decode()))

    def state(self, value):
        return value.slope

    def load_library(self):
        """Nothing to import."""


@pytest.fixture
def brought(monkeypatch):
    """Pretend that a package brings the format."""
    monkeypatch.setattr(Slope, "__module__", "slopes.models")

    def bring(target: str) -> None:
        point = EntryPoint("slopes", f"{__name__}:{target}", _table.GROUP)
        monkeypatch.setattr(_table, "_points", lambda: {"slopes": point})

    for cached in (_table._formats_for, _table._of_package):
        cached.cache_clear()
    yield bring
    for cached in (_table._formats_for, _table._of_package):
        cached.cache_clear()


@pytest.mark.parametrize("name", ["skops", "xgboost", "lightgbm"])
def test_every_format_of_ours_is_safe_and_found_by_its_name(name):
    found = find_model_format(name)
    assert isinstance(found, ModelFormat)
    assert (found.name, found.is_safe) == (name, True)


@pytest.mark.parametrize("name", ["json", "cloudpickle", "os", "", "penstock"])
def test_other_names_are_no_models_format(name):
    assert find_model_format(name) is None


def test_a_format_of_a_package_stores_and_reads_and_may_be_registered(tmp_path, brought):
    brought("SlopeFormat")
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        record = store.put(Slope(0.1))
        assert (record.format, record.unsafe) == ("slopes", False)
        assert require_safe(record) is record
        back = store.get(record.digest)
        assert (back.slope, store.digest(back)) == (0.1, record.content_digest)


@pytest.mark.parametrize(
    ("target", "said"), [("Table", "is no model"), ("Gone", "cannot be loaded")]
)
def test_a_package_whose_format_is_none_is_named(brought, target, said):
    brought(target)
    with pytest.raises(SerializationError, match=said):
        find_model_format("slopes")


def test_a_package_cannot_take_the_place_of_a_format_of_ours(monkeypatch):
    point = EntryPoint("skops", f"{__name__}:SlopeFormat", _table.GROUP)
    monkeypatch.setattr(_table, "_points", lambda: {"skops": point, "sklearn": point})
    assert type(_table.find_format(LogisticRegression())).__name__ == "SkopsFormat"
