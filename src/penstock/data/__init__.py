"""Sources in, frozen Snapshots and leak-free Splits out: all steps before features."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.data._acceptance import accept_rows as accept_rows
    from penstock.data._dataset import Dataset as Dataset
    from penstock.data._dataset import DatasetVersion as DatasetVersion
    from penstock.data._dataset import get_dataset as get_dataset
    from penstock.data._dataset import get_dataset_version as get_dataset_version
    from penstock.data._dataset import list_datasets as list_datasets
    from penstock.data._dataset import load_snapshot as load_snapshot
    from penstock.data._dependence import Dependence as Dependence
    from penstock.data._dependence import dependence_within as dependence_within
    from penstock.data._dependence import estimate_dependence as estimate_dependence
    from penstock.data._expectations import Expectations as Expectations
    from penstock.data._finding import LEVELS as LEVELS
    from penstock.data._finding import Finding as Finding
    from penstock.data._finding import Level as Level
    from penstock.data._finding import findings_to_json as findings_to_json
    from penstock.data._folds import FoldMethod as FoldMethod
    from penstock.data._folds import FoldRules as FoldRules
    from penstock.data._folds import cut_folds as cut_folds
    from penstock.data._ingest import ingest as ingest
    from penstock.data._labels import label_matrix as label_matrix
    from penstock.data._leakage import check_leakage as check_leakage
    from penstock.data._learned import LearnedExpectations as LearnedExpectations
    from penstock.data._moments import as_moments as as_moments
    from penstock.data._overlap import check_overlap as check_overlap
    from penstock.data._pandera import PanderaExpectations as PanderaExpectations
    from penstock.data._profile import ColumnProfile as ColumnProfile
    from penstock.data._profile import TableProfile as TableProfile
    from penstock.data._profiling import bin_places as bin_places
    from penstock.data._profiling import count_bins as count_bins
    from penstock.data._profiling import level_places as level_places
    from penstock.data._profiling import profile_table as profile_table
    from penstock.data._row_hashes import column_hashes as column_hashes
    from penstock.data._row_hashes import combine_hashes as combine_hashes
    from penstock.data._schema import Schema as Schema
    from penstock.data._schema import check_columns as check_columns
    from penstock.data._schema import check_schema as check_schema
    from penstock.data._schema import infer_schema as infer_schema
    from penstock.data._snapshot import Snapshot as Snapshot
    from penstock.data._split import Split as Split
    from penstock.data._split import Subset as Subset
    from penstock.data._splitting import split_rows as split_rows
    from penstock.data._splitting import split_table as split_table
    from penstock.data._table_diff import TableDiff as TableDiff
    from penstock.data._table_diff import diff_tables as diff_tables
    from penstock.data._table_digest import digest_rows as digest_rows
    from penstock.data._table_digest import digest_table as digest_table
    from penstock.data._target import guess_task as guess_task
    from penstock.data.sources import DataSource as DataSource
    from penstock.data.sources import DeltaSource as DeltaSource
    from penstock.data.sources import FileSource as FileSource
    from penstock.data.sources import IcebergSource as IcebergSource
    from penstock.data.sources import IncrementalSource as IncrementalSource
    from penstock.data.sources import KafkaSource as KafkaSource
    from penstock.data.sources import Reading as Reading
    from penstock.data.sources import Scan as Scan
    from penstock.data.sources import SqlSource as SqlSource
    from penstock.tables.reading import guess_time_format as guess_time_format
    from penstock.tables.reading import read_times as read_times

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "label_matrix": "_labels",
        "ColumnProfile": "_profile",
        "DataSource": "penstock.data.sources",
        "Dataset": "_dataset",
        "Expectations": "_expectations",
        "LearnedExpectations": "_learned",
        "accept_rows": "_acceptance",
        "findings_to_json": "_finding",
        "DatasetVersion": "_dataset",
        "TableDiff": "_table_diff",
        "diff_tables": "_table_diff",
        "get_dataset": "_dataset",
        "get_dataset_version": "_dataset",
        "list_datasets": "_dataset",
        "load_snapshot": "_dataset",
        "Dependence": "_dependence",
        "DeltaSource": "penstock.data.sources",
        "FileSource": "penstock.data.sources",
        "IncrementalSource": "penstock.data.sources",
        "KafkaSource": "penstock.data.sources",
        "IcebergSource": "penstock.data.sources",
        "Finding": "_finding",
        "LEVELS": "_finding",
        "Level": "_finding",
        "Subset": "_split",
        "PanderaExpectations": "_pandera",
        "Reading": "penstock.data.sources",
        "Scan": "penstock.data.sources",
        "SqlSource": "penstock.data.sources",
        "Schema": "_schema",
        "Snapshot": "_snapshot",
        "Split": "_split",
        "TableProfile": "_profile",
        "as_moments": "_moments",
        "bin_places": "_profiling",
        "check_columns": "_schema",
        "check_leakage": "_leakage",
        "check_overlap": "_overlap",
        "check_schema": "_schema",
        "count_bins": "_profiling",
        "dependence_within": "_dependence",
        "digest_rows": "_table_digest",
        "column_hashes": "_row_hashes",
        "combine_hashes": "_row_hashes",
        "digest_table": "_table_digest",
        "estimate_dependence": "_dependence",
        "guess_task": "_target",
        "guess_time_format": "penstock.tables.reading",
        "infer_schema": "_schema",
        "ingest": "_ingest",
        "level_places": "_profiling",
        "profile_table": "_profiling",
        "read_times": "penstock.tables.reading",
        "FoldMethod": "_folds",
        "FoldRules": "_folds",
        "cut_folds": "_folds",
        "split_rows": "_splitting",
        "split_table": "_splitting",
    },
)
