"""Contract of settings of the store."""

from penstock.stores import MetadataStore


class SettingContract:
    """Tests of settings of the store; see MetadataStoreContract."""

    def test_settings_of_the_store_are_kept(self, metadata: MetadataStore) -> None:
        assert metadata.settings.get("single_user") is None
        metadata.settings.set("single_user", "true")
        metadata.settings.set("single_user", "false")
        assert metadata.settings.get("single_user") == "false"
