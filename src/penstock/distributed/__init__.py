"""Training on many workers: the same result for every number of workers, or plain DDP on request."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.distributed._batches import Batch as Batch
    from penstock.distributed._batches import Batches as Batches
    from penstock.distributed._guard import only_fixed_order as only_fixed_order
    from penstock.distributed._parallel import DataParallel as DataParallel
    from penstock.distributed._tree import TREE_VERSION as TREE_VERSION
    from penstock.distributed._world import World as World
    from penstock.distributed._world import find_world as find_world
    from penstock.distributed._world import join_world as join_world

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Batch": "_batches",
        "Batches": "_batches",
        "DataParallel": "_parallel",
        "TREE_VERSION": "_tree",
        "World": "_world",
        "find_world": "_world",
        "join_world": "_world",
        "only_fixed_order": "_guard",
    },
)
