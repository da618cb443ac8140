"""Bytes over HTTP: the contract of every artifact store."""

import pytest
from tests.server.serving import serving

from penstock.stores import ArtifactStore, open_store
from penstock.testing import ArtifactStoreContract


class TestRestArtifacts(ArtifactStoreContract):
    @pytest.fixture
    def artifacts(self, tmp_path_factory) -> ArtifactStore:  # type: ignore[misc]
        tmp_path = tmp_path_factory.mktemp("server")
        # The claim of the served store is not one of the test's.
        folder = tmp_path / "bytes"
        with (
            open_store(f"sqlite:///{tmp_path}/penstock.db", artifacts=str(folder)) as served,
        ):
            for claim in (folder / "stores").glob("*"):
                claim.unlink()
            with serving(served) as url, open_store(url) as store:
                yield store.artifacts
