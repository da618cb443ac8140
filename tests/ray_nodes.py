"""A Ray cluster of several nodes on this machine, for scripts that lose some of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def cluster_of(nodes: int, *, cpus: int = 1, head_cpus: int = 0) -> Iterator[tuple[Any, list]]:
    """Start a cluster with a head, to which this process is connected, and nodes that may go."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": head_cpus, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    # Before there are other nodes: this process must hang on the one that stays.
    ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
    try:
        yield cluster, [cluster.add_node(num_cpus=cpus) for _ in range(nodes)]
    finally:
        # In this order. At its end Python would stop the nodes first, and a process that is
        # connected and finds its node gone ends with code 1 and without a word.
        ray.shutdown()
        cluster.shutdown()


def run_script(source: str, *words: object, folder: Path, timeout: int) -> list[str]:
    """Run a script that uses :func:`cluster_of` in a process of its own; return what it printed."""
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert not done.returncode, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.splitlines()
