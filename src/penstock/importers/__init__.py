"""Move in: runs of other trackers become runs of a store, as they were; what is lost is listed."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.importers._imports import Imported as Imported
    from penstock.importers._imports import ImportedRun as ImportedRun
    from penstock.importers._neptune import import_neptune as import_neptune
    from penstock.importers._wandb import import_wandb as import_wandb
    from penstock.importers._wandb_log import write_wandb_log as write_wandb_log

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Imported": "_imports",
        "ImportedRun": "_imports",
        "import_neptune": "_neptune",
        "import_wandb": "_wandb",
        "write_wandb_log": "_wandb_log",
    },
)
