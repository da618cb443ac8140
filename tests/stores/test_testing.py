"""The parts for tests do what they say."""

from penstock.core import now
from penstock.testing import FakeClock, temporary_store, tiny_dataset


def test_a_temporary_store_is_empty_and_in_its_folder(tmp_path):
    with temporary_store(tmp_path) as store:
        assert store.metadata.runs.list_experiments() == []
        store.put(1)
    assert (tmp_path / "penstock.db").exists()


def test_the_clock_moves_only_when_told():
    with FakeClock() as clock:
        first = now()
        assert now() == first
        clock.advance(days=2)
        assert (now() - first).days == 2
    assert now() != first


def test_the_tiny_table_is_the_same_each_time():
    table = tiny_dataset(50)
    assert table.equals(tiny_dataset(50))
    assert not table.equals(tiny_dataset(50, seed=1))
    assert table["paid"].n_unique() == 2
    assert table["amount"].null_count() > 0
