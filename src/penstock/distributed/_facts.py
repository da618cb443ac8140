"""Facts of a worker on which bits depend: device, packages, processor, threads, the module's form."""

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, digest_json
from penstock.distributed._tree import TREE_VERSION
from penstock.tracking import current_step

if TYPE_CHECKING:
    from penstock.distributed._parallel import DataParallel


def worker_facts(torch: Any, module: Any, device: str) -> dict[str, Any]:
    """Return the facts in which all workers must agree."""
    shapes = [(name, list(each.shape), str(each.dtype)) for name, each in module.named_parameters()]
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "torch": str(torch.__version__),
        "processor": _processor(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "parameters": digest_json(shapes),
    }


def check_threads(torch: Any, threads: int | None) -> int:
    """Return the number of torch's threads, which must be the declared number.

    Raises:
        ParameterError: If torch uses a different number of threads.
    """
    step = current_step()
    wanted = threads or (step.threads if step is not None else None) or 1
    current = int(torch.get_num_threads())
    if current != wanted:
        raise ParameterError(
            what=f"torch uses {current} threads, and this training {wanted}.",
            why="Sums within an operation are cut by threads: the number is part of the result.",
            fix=f"Call torch.set_num_threads({wanted}) first, or DataParallel(…, threads={current});"
            f" for a step, @ps.step(resources=ps.Resources(cpu={wanted})).",
            threads=current,
        )
    return wanted


def record_facts(parallel: "DataParallel") -> None:
    """Record in the step how the step trains."""
    step = current_step()
    if step is not None:
        step.notes["distributed"] = {
            "workers": parallel.world.size,
            "shards": parallel.shards if parallel.invariant else None,
            "tree": TREE_VERSION if parallel.invariant else None,
            "threads": parallel.threads,
            "processor": _processor(),
        }


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
