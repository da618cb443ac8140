"""Contract of artifacts, lineage, snapshots and proofs."""

from dataclasses import replace

import pytest

from penstock.core import (
    Edge,
    NotFoundError,
    ParameterError,
    ProofRecord,
    RunState,
    SnapshotRecord,
    Verdict,
)
from penstock.stores import MetadataStore
from penstock.testing._records import START, an_artifact, at, digest_of


class ArtifactContract:
    """Tests of artifacts, lineage, snapshots and proofs; see MetadataStoreContract."""

    def test_an_artifact_is_found_by_either_digest(self, metadata: MetadataStore) -> None:
        artifact = an_artifact(metadata={"rows": 3}, unsafe=True, inline=None)
        metadata.artifacts.add([artifact, artifact])
        assert metadata.artifacts.get(artifact.digest) == artifact
        assert metadata.artifacts.get(artifact.content_digest) == artifact
        with pytest.raises(NotFoundError, match="has no artifact"):
            metadata.artifacts.get(digest_of("other"))

    def test_two_values_with_the_same_bytes_stay_two(self, metadata: MetadataStore) -> None:
        number = an_artifact("1")
        raw = replace(number, content_digest=digest_of("raw"), format="bytes")
        metadata.artifacts.add([number, raw])
        assert metadata.artifacts.get(number.content_digest) == number
        assert metadata.artifacts.get(raw.content_digest) == raw

    def test_what_a_run_kept_can_be_dropped(self, metadata: MetadataStore, run_id: str) -> None:
        metadata.artifacts.log(run_id, "plot", an_artifact("plot"))
        metadata.artifacts.log(run_id, "state", an_artifact("state"))
        metadata.artifacts.drop(run_id, {"state", "other"})
        assert set(metadata.artifacts.list(run_id)) == {"plot"}
        assert metadata.artifacts.get(an_artifact("state").digest).type_name

    def test_artifacts_of_a_run_have_names(self, metadata: MetadataStore, run_id: str) -> None:
        old, new = an_artifact("old"), an_artifact("new")
        metadata.artifacts.log(run_id, "plot", old)
        metadata.artifacts.log(run_id, "plot", new)
        assert metadata.artifacts.list(run_id) == {"plot": new}
        with pytest.raises(NotFoundError):
            metadata.artifacts.log("nobody", "plot", old)

    def test_lineage_is_walked_up_and_down_to_a_depth(self, metadata: MetadataStore) -> None:
        chain = [Edge("source:s", "artifact:a", "r"), Edge("artifact:a", "step:t", "i")]
        chain += [Edge("step:t", "artifact:m", "o"), Edge("artifact:m", "version:m@1", "v")]
        aside = Edge("code:c", "step:t", "code")
        metadata.artifacts.add_edges([*chain, aside, aside])
        up = metadata.artifacts.list_edges("version:m@1", direction="up")
        assert sorted(map(repr, up)) == sorted(map(repr, [*chain, aside]))
        down = metadata.artifacts.list_edges("artifact:a", direction="down")
        assert sorted(map(repr, down)) == sorted(map(repr, chain[1:]))
        near = metadata.artifacts.list_edges("version:m@1", direction="up", depth=2)
        assert sorted(map(repr, near)) == sorted(map(repr, chain[2:]))
        assert metadata.artifacts.list_edges("artifact:nothing", direction="up") == []
        with pytest.raises(ParameterError, match="direction is 'sideways'"):
            metadata.artifacts.list_edges("a", direction="sideways")  # type: ignore[arg-type] # as a user may

    def test_a_circle_in_the_lineage_does_not_hang(self, metadata: MetadataStore) -> None:
        circle = [Edge("a:1", "a:2", "r"), Edge("a:2", "a:1", "r")]
        metadata.artifacts.add_edges(circle)
        assert metadata.artifacts.list_edges("a:1", direction="up") == circle

    def test_the_last_snapshot_of_a_source_is_remembered(self, metadata: MetadataStore) -> None:
        assert metadata.artifacts.last_snapshot("rides") is None
        for rows in (10, 20):
            snapshot = SnapshotRecord("rides", None, START, {"columns": ["a"]}, "o", "f", rows)
            metadata.artifacts.add_snapshot(snapshot)
        snapshot = replace(snapshot, read={"offsets": {"0": [3, 9]}})
        metadata.artifacts.add_snapshot(snapshot)
        metadata.artifacts.add_snapshot(replace(snapshot, source="other", rows=5))
        assert metadata.artifacts.last_snapshot("rides") == snapshot
        assert [one.rows for one in metadata.artifacts.list_snapshots("rides")] == [10, 20, 20]
        assert metadata.artifacts.list_snapshots("rides")[-1] == snapshot
        assert metadata.artifacts.list_snapshots("nothing") == []
        assert metadata.artifacts.list_sources() == {"other": 1, "rides": 3}

    def test_proofs_of_a_run_are_kept_in_order(self, metadata: MetadataStore, run_id: str) -> None:
        first = ProofRecord(run_id, "verified", Verdict.DIFFERS, at(1), {"steps": [1]})
        second = replace(first, verdict=Verdict.BITWISE, at=at(2))
        metadata.artifacts.add_proof(first)
        metadata.artifacts.add_proof(second)
        assert metadata.artifacts.list_proofs(run_id) == [first, second]
        assert metadata.runs.get(run_id).state is RunState.RUNNING
