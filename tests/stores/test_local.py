"""The local folder passes the contract."""

import pytest

from penstock.stores import ArtifactStore, LocalArtifacts
from penstock.testing import ArtifactStoreContract


class TestLocalContract(ArtifactStoreContract):
    @pytest.fixture
    def artifacts(self, tmp_path) -> ArtifactStore:
        return LocalArtifacts(tmp_path / "artifacts")
