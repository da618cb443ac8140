"""ModelVersion: what the register step gives on."""

from penstock.core import Edge, GateResult, GateState, Stage
from penstock.registry import ModelVersion


def test_it_comes_back_from_the_store(store, add):
    gates = [GateResult("verified", GateState.PENDING, "not yet")]
    version = ModelVersion.from_record(add(gates=gates, metrics={"rmse": 2.5}))
    digest = store.put(version).digest
    assert store.get(digest) == version
    assert (version.ref, version.stage) == ("tips@1", Stage.NONE)


def test_it_is_a_node_of_the_lineage():
    assert ModelVersion("tips", 3).lineage_edges("artifact:x") == [
        Edge("artifact:x", "version:tips@3", "version")
    ]
