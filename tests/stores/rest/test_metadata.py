"""A store over HTTP passes the contract of every store; what differs is said where it differs."""

import threading

import pytest
from tests.server.serving import serving

from penstock.core import ConflictError, Identity, StoreError, use_actor, use_identity
from penstock.stores import STORE_HISTORY, MetadataStore, open_store
from penstock.stores.rest import withhold
from penstock.stores.rest._metadata import RestRuns
from penstock.testing import MetadataStoreContract
from penstock.testing._records import a_run, a_version


@pytest.fixture
def served(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/server/penstock.db") as store:
        yield store


@pytest.fixture
def store(served):
    with serving(served) as url, open_store(url) as store:
        yield store


class TestRestContract(MetadataStoreContract):
    @pytest.fixture
    def metadata(self, store) -> MetadataStore:
        return store.metadata

    def shown(self, record):
        return withhold(record)

    # Never over HTTP: whoever can read the tables can read every project and every secret.
    def test_upkeep_reads_the_tables_of_all_nouns(self, metadata):
        with pytest.raises(StoreError, match="cannot be opened from here"):
            _ = metadata.database

    def test_the_audit_trail_shows_what_was_changed_in_it(self, metadata):
        assert metadata.audit.verify() is None

    def test_a_removed_audit_record_is_noticed(self, metadata):
        assert metadata.audit.list() == []

    # Never over HTTP: that someone is known is for the server to find out, not for a client to say.
    def test_every_change_of_people_has_its_actor(self, metadata):
        with use_identity(Identity("root", {}, attested="token pst_0")):
            metadata.settings.set("single_user", "true")
        with use_actor("zoë ✓"):
            metadata.settings.set("single_user", "false")
        events = metadata.models.list_stage_events(STORE_HISTORY)
        assert [event.actor for event in events] == ["root", "zoë ✓"]
        assert [record.attested for record in metadata.audit.list() if record.attested] == []


class TestPostgresBehindRest(MetadataStoreContract):
    """The same through a server on PostgreSQL: requests and changes share a transaction there too."""

    pytestmark = pytest.mark.services

    @pytest.fixture
    def metadata(self, postgres_server, tmp_path) -> MetadataStore:  # type: ignore[misc]
        url = postgres_server.database()
        with open_store(url, artifacts=str(tmp_path / "bytes")) as served:
            served._team = False  # one person's: the contract has nobody who approves
            with serving(served) as address, open_store(address) as store:
                yield store.metadata

    def shown(self, record):
        return withhold(record)

    test_upkeep_reads_the_tables_of_all_nouns = None
    test_the_audit_trail_shows_what_was_changed_in_it = None
    test_a_removed_audit_record_is_noticed = None
    test_every_change_of_people_has_its_actor = None


def test_a_search_of_more_than_a_page_returns_all(store, monkeypatch):
    monkeypatch.setattr("penstock.stores.rest._metadata.MOST", 3)
    ids = []
    for _ in range(8):
        run = a_run()
        store.metadata.runs.create(run)
        ids.append(run.run_id)
    found = store.metadata.runs.search(order_by="created_at", limit=7)
    assert len({run.run_id for run in found}) == 7
    assert {run.run_id for run in store.metadata.runs.search(limit=100)} == set(ids)
    for number in range(7):
        store.metadata.models.create_version(a_version(content=str(number)), actor="ada")
    versions = store.metadata.models.search_versions(order_by="version", limit=6)
    assert [each.version for each in versions] == [1, 2, 3, 4, 5, 6]
    assert isinstance(store.metadata.runs, RestRuns)


def test_a_long_list_arrives_in_pages(store, monkeypatch):
    monkeypatch.setattr("penstock.server.api._perform._PAGE", 2)
    for name in "abcde":
        store.metadata.runs.create_experiment(name)
    assert store.metadata.runs.list_experiments() == list("abcde")


def test_the_error_of_the_server_is_raised_here_with_its_values(store):
    run = a_run()
    store.metadata.runs.create(run)
    store.metadata.runs.log_params(run.run_id, {"lr": 0.1})
    with pytest.raises(ConflictError, match=r"already 0\.1 and cannot become 0.2") as caught:
        store.metadata.runs.log_params(run.run_id, {"lr": 0.2})
    assert (caught.value.key, caught.value.fix) == (
        "lr",
        "Use a different name, log_metric, or a new run.",
    )


def test_many_threads_share_a_store(store):
    run = a_run()
    store.metadata.runs.create(run)
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        for _ in range(5):
            store.metadata.runs.set_tags(run.run_id, {f"t{number}": "x"})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(store.metadata.runs.get(run.run_id).tags) >= {f"t{number}" for number in range(8)}
