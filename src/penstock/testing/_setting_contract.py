"""Contract of settings of the store."""

import pytest

from penstock.stores import MetadataStore


class SettingContract:
    """Tests of settings of the store; see MetadataStoreContract."""

    def test_settings_of_the_store_are_kept(self, metadata: MetadataStore) -> None:
        assert metadata.settings.get("single_user") is None
        metadata.settings.set("single_user", "true")
        metadata.settings.set("single_user", "false")
        assert metadata.settings.get("single_user") == "false"

    def test_upkeep_reads_the_tables_and_nothing_is_written_by_a_failed_block(
        self, metadata: MetadataStore
    ) -> None:
        with pytest.raises(KeyError), metadata.database.write() as transaction:
            transaction.execute("INSERT INTO settings (name, value) VALUES (?, ?)", ("a", "b"))
            raise KeyError
        with metadata.database.read() as transaction:
            rows = transaction.execute("SELECT name FROM settings WHERE name = 'a'").fetchall()
        assert rows == []
