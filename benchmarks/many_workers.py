"""F17: training with one result for every number of workers, beside plain DDP; 1, 2, 4 workers."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

from figures import tell

ROWS, WARM_UP, STEPS = 256, 2, 8
MOST = 1.5


def train(kind: str, *, invariant: bool) -> dict[str, float]:
    """Train on random rows; returns the median milliseconds of a step of worker 0."""
    import torch

    from penstock.distributed import DataParallel

    torch.set_num_threads(1)
    torch.manual_seed(0)
    nn = torch.nn
    modules = {
        "mlp, 1.1M parameters": lambda: nn.Sequential(
            nn.Linear(256, 1024), nn.ReLU(), nn.Dropout(0.1), nn.Linear(1024, 768), nn.ReLU(),
            nn.Linear(768, 10),
        ),
        "cnn with batch norm": lambda: nn.Sequential(
            nn.Unflatten(1, (1, 16, 16)), nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1),
            nn.Linear(32 * 144, 10),
        ),
    }  # fmt: skip
    module = modules[kind]()
    optimizer = torch.optim.Adam(module.parameters())
    parallel = DataParallel(
        module, optimizer, shards=8 if invariant else None, invariant=invariant, seed=0
    )
    x, y = torch.randn(ROWS, 256), torch.randint(0, 10, (ROWS,))

    def loss(model, rows, labels):
        return nn.functional.cross_entropy(model(rows), labels)

    seconds = []
    for _ in range(WARM_UP + STEPS):
        began = time.perf_counter()
        parallel.step((x, y), loss)
        seconds.append(time.perf_counter() - began)
    return {"ms": 1000 * statistics.median(seconds[WARM_UP:])}


def train_with(workers: int, kind: str, *, invariant: bool) -> float:
    """Train in a number of processes; returns the milliseconds of a step."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in range(workers):
        environment = {
            **os.environ, "RANK": str(rank), "WORLD_SIZE": str(workers),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, __file__, "--train", json.dumps([kind, invariant])]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    answers = [process.communicate(timeout=110)[0] for process in processes]
    return float(json.loads(answers[0].splitlines()[-1])["ms"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--train")
    request = parser.parse_args().train
    if request:
        kind, invariant = json.loads(request)
        print(json.dumps(train(kind, invariant=invariant)))
        return
    for kind in ("mlp, 1.1M parameters", "cnn with batch norm"):
        for workers in (1, 2, 4):
            plain = train_with(workers, kind, invariant=False)
            ours = train_with(workers, kind, invariant=True)
            where = f"{kind}, {workers} worker{'s' if workers > 1 else ''}"
            tell("F17", f"plain DDP: {where}", plain, "ms")
            tell("F17", f"one result: {where}", ours, "ms", MOST * plain)


if __name__ == "__main__":
    main()
