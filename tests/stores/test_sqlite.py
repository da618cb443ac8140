"""SQLite passes the contract, alone and under many writers, and explains what it cannot do."""

import pytest

from penstock.stores import MetadataStore, open_store
from penstock.testing import MetadataStoreContract


class TestSQLiteContract(MetadataStoreContract):
    @pytest.fixture
    def metadata(self, tmp_path) -> MetadataStore:
        with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
            yield store.metadata
