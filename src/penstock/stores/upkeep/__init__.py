"""Maintenance of a store: `collect_garbage`, `check_store`, `copy_store`, `backup_store`."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.stores.upkeep._backup import backup_store as backup_store
    from penstock.stores.upkeep._check import StoreFault as StoreFault
    from penstock.stores.upkeep._check import check_store as check_store
    from penstock.stores.upkeep._copy import CopyReport as CopyReport
    from penstock.stores.upkeep._copy import copy_store as copy_store
    from penstock.stores.upkeep._garbage import GarbageReport as GarbageReport
    from penstock.stores.upkeep._garbage import collect_garbage as collect_garbage

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CopyReport": "_copy",
        "StoreFault": "_check",
        "GarbageReport": "_garbage",
        "backup_store": "_backup",
        "check_store": "_check",
        "collect_garbage": "_garbage",
        "copy_store": "_copy",
    },
)
