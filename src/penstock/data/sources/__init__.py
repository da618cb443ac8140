"""Sources of rows: a file per kind of source, all behind the DataSource protocol."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.data.sources._batches import collect as collect
    from penstock.data.sources._batches import read_batches as read_batches
    from penstock.data.sources._files import FileSource as FileSource
    from penstock.data.sources._incremental import IncrementalSource as IncrementalSource
    from penstock.data.sources._open import open_source as open_source
    from penstock.data.sources._paths import resolving_in as resolving_in
    from penstock.data.sources._protocol import DataSource as DataSource
    from penstock.data.sources._protocol import FollowingSource as FollowingSource
    from penstock.data.sources._protocol import PinnedSource as PinnedSource
    from penstock.data.sources._protocol import Reading as Reading
    from penstock.data.sources._protocol import RememberingSource as RememberingSource
    from penstock.data.sources._protocol import Scan as Scan
    from penstock.data.sources._protocol import StampedSource as StampedSource
    from penstock.data.sources._references import require_no_secrets as require_no_secrets
    from penstock.data.sources._references import resolve_url as resolve_url
    from penstock.data.sources._window import Window as Window
    from penstock.data.sources.kafka._source import KafkaSource as KafkaSource
    from penstock.data.sources.lakes._delta import DeltaSource as DeltaSource
    from penstock.data.sources.lakes._delta_files import files_in as files_in
    from penstock.data.sources.lakes._delta_table import file_options as file_options
    from penstock.data.sources.lakes._delta_table import is_delta_table as is_delta_table
    from penstock.data.sources.lakes._delta_table import open_table as open_table
    from penstock.data.sources.lakes._delta_table import require_delta as require_delta
    from penstock.data.sources.lakes._delta_table import storage_options as storage_options
    from penstock.data.sources.lakes._iceberg import IcebergSource as IcebergSource
    from penstock.data.sources.sql._address import SqlAddress as SqlAddress
    from penstock.data.sources.sql._address import is_database as is_database
    from penstock.data.sources.sql._source import SqlSource as SqlSource

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DataSource": "_protocol",
        "DeltaSource": "penstock.data.sources.lakes._delta",
        "FileSource": "_files",
        "KafkaSource": "penstock.data.sources.kafka._source",
        "IcebergSource": "penstock.data.sources.lakes._iceberg",
        "IncrementalSource": "_incremental",
        "FollowingSource": "_protocol",
        "PinnedSource": "_protocol",
        "Reading": "_protocol",
        "RememberingSource": "_protocol",
        "Scan": "_protocol",
        "SqlAddress": "penstock.data.sources.sql._address",
        "SqlSource": "penstock.data.sources.sql._source",
        "StampedSource": "_protocol",
        "Window": "_window",
        "collect": "_batches",
        "file_options": "penstock.data.sources.lakes._delta_table",
        "files_in": "penstock.data.sources.lakes._delta_files",
        "is_database": "penstock.data.sources.sql._address",
        "is_delta_table": "penstock.data.sources.lakes._delta_table",
        "open_source": "_open",
        "open_table": "penstock.data.sources.lakes._delta_table",
        "read_batches": "_batches",
        "require_delta": "penstock.data.sources.lakes._delta_table",
        "require_no_secrets": "_references",
        "resolve_url": "_references",
        "resolving_in": "_paths",
        "storage_options": "penstock.data.sources.lakes._delta_table",
    },
)
