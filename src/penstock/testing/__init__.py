"""Helpers for tests of pipelines, and contract suites for every back end; needs pytest."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.testing._artifact_store import ArtifactStoreContract as ArtifactStoreContract
    from penstock.testing._fixtures import FakeClock as FakeClock
    from penstock.testing._fixtures import temporary_store as temporary_store
    from penstock.testing._fixtures import tiny_dataset as tiny_dataset
    from penstock.testing._metadata_store import MetadataStoreContract as MetadataStoreContract
    from penstock.testing._online_contract import OnlineStoreContract as OnlineStoreContract
    from penstock.testing._pipelines import penstock_store as penstock_store
    from penstock.testing._pipelines import run_pipeline as run_pipeline
    from penstock.testing._source_contract import SourceContract as SourceContract
    from penstock.testing._source_contract import SourceSystem as SourceSystem
    from penstock.testing._traffic_policy import TrafficPolicyContract as TrafficPolicyContract

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ArtifactStoreContract": "_artifact_store",
        "FakeClock": "_fixtures",
        "MetadataStoreContract": "_metadata_store",
        "OnlineStoreContract": "_online_contract",
        "TrafficPolicyContract": "_traffic_policy",
        "SourceContract": "_source_contract",
        "SourceSystem": "_source_contract",
        "penstock_store": "_pipelines",
        "run_pipeline": "_pipelines",
        "temporary_store": "_fixtures",
        "tiny_dataset": "_fixtures",
    },
)
