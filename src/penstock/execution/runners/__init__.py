"""Where steps are executed: in this process, in processes of this machine, on Ray."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution.runners._choice import find_runner as find_runner
    from penstock.execution.runners._local import LocalRunner as LocalRunner
    from penstock.execution.runners._processes import ProcessRunner as ProcessRunner
    from penstock.execution.runners._ranks import rank_launcher as rank_launcher
    from penstock.execution.runners._ray_cluster import ray_cluster as ray_cluster
    from penstock.execution.runners._ray_pool import RayRunPool as RayRunPool
    from penstock.execution.runners._run_order import RunEnd as RunEnd
    from penstock.execution.runners._run_order import RunListener as RunListener
    from penstock.execution.runners._run_order import RunOrder as RunOrder
    from penstock.execution.runners._run_pool import LocalRunPool as LocalRunPool
    from penstock.execution.runners._run_pool import ProcessRunPool as ProcessRunPool
    from penstock.execution.runners._run_pool import RunPool as RunPool
    from penstock.execution.runners._watch import Watch as Watch

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "LocalRunner": "_local",
        "LocalRunPool": "_run_pool",
        "ProcessRunPool": "_run_pool",
        "ProcessRunner": "_processes",
        "RayRunPool": "_ray_pool",
        "RunEnd": "_run_order",
        "RunListener": "_run_order",
        "RunOrder": "_run_order",
        "RunPool": "_run_pool",
        "Watch": "_watch",
        "find_runner": "_choice",
        "rank_launcher": "_ranks",
        "ray_cluster": "_ray_cluster",
    },
)
