"""Contract of settings of the store."""

from penstock.stores import MetadataStore


class SettingContract:
    """Tests of settings of the store; see MetadataStoreContract."""

    def test_settings_of_the_store_are_kept(self, metadata: MetadataStore) -> None:
        assert metadata.settings.get("single_user") is None
        metadata.settings.set("single_user", "true")
        metadata.settings.set("single_user", "false")
        assert metadata.settings.get("single_user") == "false"

    def test_upkeep_reads_the_tables_of_all_nouns(self, metadata: MetadataStore) -> None:
        metadata.settings.set("single_user", "true")
        sql = "SELECT value FROM settings WHERE name = ?"
        with metadata.database.read() as transaction:
            assert transaction.execute(sql, ("single_user",)).fetchall() == [("true",)]
