"""A request that is repeated is done once, with the same answer, also when everything is killed."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.core import NotFoundError
from penstock.stores import RequestMemory, open_store
from penstock.stores.metadata import _once
from penstock.testing._records import a_run, a_version


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").database()
    with open_store(url, artifacts=str(tmp_path / "artifacts")) as store:
        yield store


@pytest.fixture
def memory(store) -> RequestMemory:
    return RequestMemory(store.metadata.database)


def registering(memory, content):
    def act() -> str:
        version = a_version(content=content, run_id=None)
        return str(memory.metadata.models.create_version(version, actor="ada").version)

    return act


def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(memory, store):
    run = a_run()
    store.metadata.runs.create(run)
    calls: list[int] = []

    def act() -> str:
        memory.metadata.runs.note_missed(run.run_id, [f"sentence {len(calls)}"])
        calls.append(1)
        return f"answer {len(calls)}"

    first = memory.once(("ada", "x", "1"), act)
    again = memory.once(("ada", "x", "1"), act)
    other = memory.once(("bob", "x", "1"), act)
    assert (first, again, other) == ("answer 1", "answer 1", "answer 2")
    assert store.metadata.runs.get(run.run_id).missed == ("sentence 0", "sentence 1")


def test_a_request_that_failed_may_be_repeated(memory, store):
    run = a_run()
    request = ("ada", "x", "1")
    with pytest.raises(NotFoundError):
        memory.once(request, lambda: str(memory.metadata.runs.log_params("none", {"a": 1})))
    store.metadata.runs.create(run)
    done = memory.once(
        request, lambda: str(memory.metadata.runs.log_params(run.run_id, {"a": 1}) or "done")
    )
    assert done == "done"
    assert store.metadata.runs.get(run.run_id).params == {"a": 1}


def test_of_repetitions_at_the_same_time_one_acts(memory, store):
    start = threading.Barrier(6)

    def ask(_: int) -> str:
        start.wait()
        return memory.once(("ada", "create", "1"), registering(memory, "c"))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert set(answers) == {"1"}
    assert len(store.metadata.models.list_versions(a_version().model)) == 1


def test_a_request_that_changes_nothing_leaves_nothing(memory, store):
    assert memory.once(("ada", "x", "1"), lambda: str(memory.metadata.models.list())) == "[]"
    with store.metadata.database.read() as transaction:
        assert transaction.execute("SELECT COUNT(*) FROM requests").fetchone()[0] == 0


def test_old_requests_are_forgotten(memory, store, monkeypatch):
    memory.once(("ada", "x", "1"), registering(memory, "1"))
    monkeypatch.setattr(_once, "_SWEEP_S", -1.0)
    monkeypatch.setattr(_once, "_REMEMBERED_MICROS", -10_000_000)
    memory.once(("ada", "x", "2"), registering(memory, "2"))
    with store.metadata.database.read() as transaction:
        assert transaction.execute("SELECT COUNT(*) FROM requests").fetchone()[0] == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_change_without_an_answer_does_not_survive_a_kill(tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    with open_store(url):
        pass
    child = os.fork()
    if child == 0:
        with open_store(url) as store:
            memory = RequestMemory(store.metadata.database)

            def act() -> str:
                registering(memory, "c")()
                os.kill(os.getpid(), signal.SIGKILL)
                return "never"

            memory.once(("ada", "x", "1"), act)
        os._exit(0)
    os.waitpid(child, 0)
    with open_store(url) as store:
        assert store.metadata.models.list() == []
        memory = RequestMemory(store.metadata.database)
        assert memory.once(("ada", "x", "1"), registering(memory, "c")) == "1"


def test_a_body_of_bytes_is_the_request_that_its_text_is(memory):
    """Servers before this one named requests by texts: a repetition may reach a newer one."""
    first = memory.once(("ada", "x", "1", '{"note": "é"}'), registering(memory, "c"))
    again = memory.once(("ada", "x", "1", '{"note": "é"}'.encode()), registering(memory, "d"))
    assert (first, again) == ("1", "1")
