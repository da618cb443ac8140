"""Stores of facts and bytes: `open_store`, values in and out, and the back ends' protocols."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.stores._contents import content_digest as content_digest
    from penstock.stores._contents import count_as_frame as count_as_frame
    from penstock.stores._contents import frame_digest as frame_digest
    from penstock.stores._contents import is_plain_frame as is_plain_frame
    from penstock.stores._json import dump_json as dump_json
    from penstock.stores._json import keep_unresolved as keep_unresolved
    from penstock.stores._json import load_json as load_json
    from penstock.stores._open import open_store as open_store
    from penstock.stores._processes import claim_here as claim_here
    from penstock.stores._processes import this_process as this_process
    from penstock.stores._store import UNSAFE_POLICIES as UNSAFE_POLICIES
    from penstock.stores._store import Store as Store
    from penstock.stores.artifacts._aws import bucket_settings as bucket_settings
    from penstock.stores.artifacts._bundles import Bundle as Bundle
    from penstock.stores.artifacts._bundles import DigestedFrame as DigestedFrame
    from penstock.stores.artifacts._bundles import LazyParts as LazyParts
    from penstock.stores.artifacts._bundles import PackedJson as PackedJson
    from penstock.stores.artifacts._bundles import StoredPart as StoredPart
    from penstock.stores.artifacts._chunked_table import ChunkedTable as ChunkedTable
    from penstock.stores.artifacts._chunked_table import ChunkGroup as ChunkGroup
    from penstock.stores.artifacts._chunked_table import TableChunk as TableChunk
    from penstock.stores.artifacts._local import LocalArtifacts as LocalArtifacts
    from penstock.stores.artifacts._media_type import media_type as media_type
    from penstock.stores.artifacts._parts import NamedParts as NamedParts
    from penstock.stores.artifacts._parts import Parts as Parts
    from penstock.stores.artifacts._parts import part_key as part_key
    from penstock.stores.artifacts._parts import part_name as part_name
    from penstock.stores.artifacts._positions import Positions as Positions
    from penstock.stores.artifacts._protocol import ArtifactStore as ArtifactStore
    from penstock.stores.artifacts._serializers import load_libraries as load_libraries
    from penstock.stores.artifacts._table_digest import TableDigest as TableDigest
    from penstock.stores.artifacts._value import Serialized as Serialized
    from penstock.stores.artifacts.models._mlflow import stored_mlflow_model as stored_mlflow_model
    from penstock.stores.artifacts.models._mlflow_folder import MLMODEL as MLMODEL
    from penstock.stores.artifacts.models._mlflow_folder import MlflowFolder as MlflowFolder
    from penstock.stores.artifacts.models._mlflow_folder import (
        read_mlflow_folder as read_mlflow_folder,
    )
    from penstock.stores.artifacts.models._nesting import nested_state as nested_state
    from penstock.stores.artifacts.models._nesting import read_nested as read_nested
    from penstock.stores.artifacts.models._onnx_graph import read_onnx as read_onnx
    from penstock.stores.artifacts.models._protocol import ModelFormat as ModelFormat
    from penstock.stores.artifacts.models._protocol import StoredModel as StoredModel
    from penstock.stores.artifacts.models._table import find_model_format as find_model_format
    from penstock.stores.artifacts.models._unsafe import UnsafeModel as UnsafeModel
    from penstock.stores.journals._facts import Fact as Fact
    from penstock.stores.journals._facts import artifacts_fact as artifacts_fact
    from penstock.stores.journals._facts import end_fact as end_fact
    from penstock.stores.journals._folder import damaged_journals as damaged_journals
    from penstock.stores.journals._journal import Line as Line
    from penstock.stores.journals._records import pack_columns as pack_columns
    from penstock.stores.journals._records import pack_points as pack_points
    from penstock.stores.metadata._once import RequestMemory as RequestMemory
    from penstock.stores.metadata._protocol import MetadataStore as MetadataStore
    from penstock.stores.metadata._stage_events import REGISTERED as REGISTERED
    from penstock.stores.metadata._stage_events import STORE_HISTORY as STORE_HISTORY
    from penstock.stores.metadata._stage_events import stage_event_hash as stage_event_hash
    from penstock.stores.metadata._stage_rules import require_possible as require_possible
    from penstock.stores.upkeep._backup import backup_store as backup_store
    from penstock.stores.upkeep._check import check_store as check_store
    from penstock.stores.upkeep._copy import copy_store as copy_store
    from penstock.stores.upkeep._erasure import erase_predictions as erase_predictions
    from penstock.stores.upkeep._garbage import GarbageReport as GarbageReport
    from penstock.stores.upkeep._garbage import collect_garbage as collect_garbage

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ArtifactStore": "penstock.stores.artifacts._protocol",
        "Bundle": "penstock.stores.artifacts._bundles",
        "TableChunk": "penstock.stores.artifacts._chunked_table",
        "ChunkGroup": "penstock.stores.artifacts._chunked_table",
        "ChunkedTable": "penstock.stores.artifacts._chunked_table",
        "Fact": "penstock.stores.journals._facts",
        "LazyParts": "penstock.stores.artifacts._bundles",
        "Line": "penstock.stores.journals._journal",
        "LocalArtifacts": "penstock.stores.artifacts._local",
        "MetadataStore": "penstock.stores.metadata._protocol",
        "MLMODEL": "penstock.stores.artifacts.models._mlflow_folder",
        "MlflowFolder": "penstock.stores.artifacts.models._mlflow_folder",
        "ModelFormat": "penstock.stores.artifacts.models._protocol",
        "NamedParts": "penstock.stores.artifacts._parts",
        "PackedJson": "penstock.stores.artifacts._bundles",
        "Parts": "penstock.stores.artifacts._parts",
        "RequestMemory": "penstock.stores.metadata._once",
        "Serialized": "penstock.stores.artifacts._value",
        "Store": "_store",
        "UNSAFE_POLICIES": "_store",
        "StoredModel": "penstock.stores.artifacts.models._protocol",
        "StoredPart": "penstock.stores.artifacts._bundles",
        "UnsafeModel": "penstock.stores.artifacts.models._unsafe",
        "TableDigest": "penstock.stores.artifacts._table_digest",
        "artifacts_fact": "penstock.stores.journals._facts",
        "backup_store": "penstock.stores.upkeep._backup",
        "bucket_settings": "penstock.stores.artifacts._aws",
        "check_store": "penstock.stores.upkeep._check",
        "collect_garbage": "penstock.stores.upkeep._garbage",
        "content_digest": "_contents",
        "count_as_frame": "_contents",
        "Positions": "penstock.stores.artifacts._positions",
        "DigestedFrame": "penstock.stores.artifacts._bundles",
        "frame_digest": "_contents",
        "dump_json": "_json",
        "find_model_format": "penstock.stores.artifacts.models._table",
        "is_plain_frame": "_contents",
        "keep_unresolved": "_json",
        "load_json": "_json",
        "load_libraries": "penstock.stores.artifacts._serializers",
        "copy_store": "penstock.stores.upkeep._copy",
        "damaged_journals": "penstock.stores.journals._folder",
        "erase_predictions": "penstock.stores.upkeep._erasure",
        "end_fact": "penstock.stores.journals._facts",
        "media_type": "penstock.stores.artifacts._media_type",
        "GarbageReport": "penstock.stores.upkeep._garbage",
        "nested_state": "penstock.stores.artifacts.models._nesting",
        "open_store": "_open",
        "pack_columns": "penstock.stores.journals._records",
        "pack_points": "penstock.stores.journals._records",
        "STORE_HISTORY": "penstock.stores.metadata._stage_events",
        "read_onnx": "penstock.stores.artifacts.models._onnx_graph",
        "read_nested": "penstock.stores.artifacts.models._nesting",
        "stored_mlflow_model": "penstock.stores.artifacts.models._mlflow",
        "read_mlflow_folder": "penstock.stores.artifacts.models._mlflow_folder",
        "part_key": "penstock.stores.artifacts._parts",
        "part_name": "penstock.stores.artifacts._parts",
        "REGISTERED": "penstock.stores.metadata._stage_events",
        "stage_event_hash": "penstock.stores.metadata._stage_events",
        "require_possible": "penstock.stores.metadata._stage_rules",
        "claim_here": "_processes",
        "this_process": "_processes",
    },
)
