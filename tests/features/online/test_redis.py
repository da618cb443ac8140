"""RedisOnlineStore: the contract on a real server, and what is said when there is none."""

import pickle

import pytest
from tests.services import free_port

import penstock as ps
from penstock.features.online import RedisOnlineStore, open_online
from penstock.testing import OnlineStoreContract
from penstock.testing._online_contract import entries, order


@pytest.fixture
def store(redis_url):
    store = RedisOnlineStore(redis_url)
    yield store
    store.close()


class TestRedisOnlineStore(OnlineStoreContract):
    """The contract."""


def test_another_process_reads_the_same_server(store):
    store.put("spend", entries((b"1", order(1), False, b"v")))
    assert pickle.loads(pickle.dumps(store)).get("spend", [b"1"]) == [(order(1), False, b"v")]


def test_projects_with_other_prefixes_are_apart(redis_url):
    first, second = open_online(redis_url), open_online(f"{redis_url}?prefix=shop")
    first.put("spend", entries((b"1", order(1), False, b"v")))
    assert second.get("spend", [b"1"]) == [None]


def test_a_server_that_is_not_there_is_told_without_the_password(monkeypatch):
    monkeypatch.setenv("REDIS_PASSWORD", "very/secret")
    port = free_port()
    store = RedisOnlineStore(f"redis://ada:${{REDIS_PASSWORD}}@127.0.0.1:{port}/0")
    with pytest.raises(
        ps.PenstockError, match=f"redis://127.0.0.1:{port}/0 does not respond"
    ) as told:
        store.get("spend", [b"1"])
    assert "secret" not in str(told.value)
    assert "Start Redis" in told.value.fix


def test_removed_bytes_are_not_in_its_files(store, redis_server):
    rows = [(b"%d" % number, order(1), False, b"secret-%d." % number) for number in range(300)]
    store.put("spend", entries(*rows))
    store.remove("spend", [b"7"])
    store.scrub()
    files = b"".join(file.read_bytes() for file in redis_server.folder.rglob("*") if file.is_file())
    assert b"secret-7." not in files
    assert b"secret-8." in files
