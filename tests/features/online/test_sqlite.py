"""SqliteOnlineStore: the contract, processes, and a file that is none."""

import os
import pickle

import pytest

import penstock as ps
from penstock.features.online import SqliteOnlineStore
from penstock.testing import OnlineStoreContract
from penstock.testing._online_contract import entries, order


@pytest.fixture
def store(tmp_path):
    store = SqliteOnlineStore(tmp_path / "online.db")
    yield store
    store.close()


class TestSqliteOnlineStore(OnlineStoreContract):
    """The contract."""


def test_another_process_reads_the_same_file(store):
    store.put("spend", entries((b"1", order(1), False, b"v")))
    assert pickle.loads(pickle.dumps(store)).get("spend", [b"1"]) == [(order(1), False, b"v")]
    child = os.fork()
    if not child:
        found = store.get("spend", [b"1"])
        os._exit(0 if found == [(order(1), False, b"v")] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "online.db").write_text("this is no database" * 99)
    with pytest.raises(ps.PenstockError, match="does not respond"):
        SqliteOnlineStore(tmp_path / "online.db").read_progress("spend")


def test_removed_bytes_are_not_in_the_file(store):
    rows = [(b"%d" % number, order(1), False, b"secret-%d." % number * 50) for number in range(300)]
    store.put("spend", entries(*rows))
    store.put("spend", entries((b"7", order(2), False, b"secret-7.")))
    store.remove("spend", [b"7"])
    store.scrub()
    files = b"".join(file.read_bytes() for file in store.path.parent.iterdir())
    assert b"secret-7." not in files
    assert b"secret-8." in files


def test_a_reader_that_holds_the_log_is_told(store, monkeypatch):
    monkeypatch.setattr("penstock.features.online._sqlite._WAIT_S", 0.1)
    store.put("spend", entries((b"1", order(1), False, b"v"), (b"2", order(1), False, b"w")))
    other = SqliteOnlineStore(store.path)
    reading = other.scan("spend")
    next(reading)
    store.remove("spend", [b"1"])
    with pytest.raises(ps.PenstockError, match=r"still has removed entries|does not respond"):
        store.scrub()
    del reading
    other.close()
    store.scrub()
