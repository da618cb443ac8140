"""Sources of rows: a file per kind of source, all behind the DataSource protocol."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.data.sources._batches import collect as collect
    from penstock.data.sources._batches import read_batches as read_batches
    from penstock.data.sources._delta import DeltaSource as DeltaSource
    from penstock.data.sources._files import FileSource as FileSource
    from penstock.data.sources._iceberg import IcebergSource as IcebergSource
    from penstock.data.sources._kafka import KafkaSource as KafkaSource
    from penstock.data.sources._open import open_source as open_source
    from penstock.data.sources._paths import resolving_in as resolving_in
    from penstock.data.sources._protocol import DataSource as DataSource
    from penstock.data.sources._protocol import PinnedSource as PinnedSource
    from penstock.data.sources._protocol import Reading as Reading
    from penstock.data.sources._protocol import RememberingSource as RememberingSource
    from penstock.data.sources._protocol import Scan as Scan
    from penstock.data.sources._protocol import StampedSource as StampedSource
    from penstock.data.sources._sql import SqlSource as SqlSource
    from penstock.data.sources._window import Window as Window

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DataSource": "_protocol",
        "DeltaSource": "_delta",
        "FileSource": "_files",
        "KafkaSource": "_kafka",
        "IcebergSource": "_iceberg",
        "PinnedSource": "_protocol",
        "Reading": "_protocol",
        "RememberingSource": "_protocol",
        "Scan": "_protocol",
        "SqlSource": "_sql",
        "StampedSource": "_protocol",
        "Window": "_window",
        "collect": "_batches",
        "open_source": "_open",
        "read_batches": "_batches",
        "resolving_in": "_paths",
    },
)
