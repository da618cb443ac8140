"""A training of digits in several processes, and the digest of all weights; run as a program too."""

import hashlib
import json
import os
import socket
import subprocess
import sys

ROWS = 215  # with batches of 30 rows, the last of an epoch has 5


def add_floats_in_any_order(layout, own, world, shards):
    """The negative control, in place of the tree: a float reduction of torch."""
    slot = own.total()
    if world.size > 1:
        for segment in slot.segments:
            layout.torch.distributed.all_reduce(segment)
    return slot


def modules(torch, kind):
    nn = torch.nn
    if kind == "mlp":
        return nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
        )  # fmt: skip
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * 36, 10),
    )  # fmt: skip


def optimizers(torch, kind, parameters):
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=1e-3)
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def digest(torch, module):
    whole = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def train(config):
    """Train, and return the digest of all weights with the last loss."""
    import torch
    from sklearn.datasets import load_digits

    from penstock.distributed import Batches, DataParallel, _parallel

    torch.set_num_threads(config.get("threads", 1))
    torch.manual_seed(0)
    if config.get("control"):
        setattr(_parallel, "exchange", add_floats_in_any_order)  # noqa: B010 - a private name
    data = load_digits()
    x = torch.tensor(data.data[:ROWS] / 16, dtype=torch.float32)
    y = torch.tensor(data.target[:ROWS])
    module = modules(torch, config.get("module", "mlp"))
    optimizer = optimizers(torch, config.get("optimizer", "adam"), module.parameters())
    parallel = DataParallel(
        module,
        optimizer,
        shards=config.get("shards", 8) if config.get("invariant", True) else None,
        invariant=config.get("invariant", True),
        seed=3,
    )
    batches = Batches(len(x), size=config.get("size", 30), epochs=config.get("epochs", 2), seed=3)
    if path := config.get("start"):
        state = torch.load(path, weights_only=True)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        parallel.load_state_dict(state["parallel"])
    value = 0.0
    for batch in batches.after(parallel.steps):
        if parallel.steps == config.get("stop"):
            break
        value = parallel.step(
            (x[batch.rows], y[batch.rows]),
            lambda model, rows, labels: torch.nn.functional.cross_entropy(model(rows), labels),
        )
    if (path := config.get("end")) and parallel.world.rank == 0:
        state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "parallel": parallel.state_dict()}, path)
    return {"digest": digest(torch, module), "loss": value, "steps": parallel.steps}


class Trainer:
    """A process with torch loaded, which forks the workers of each training: imports cost most."""

    def __init__(self):
        self._popen = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, workers, **config):
        """Train in a number of processes; returns what each of them has, or its error."""
        self._popen.stdin.write(json.dumps([workers, config]) + "\n")
        self._popen.stdin.flush()
        return json.loads(self._popen.stdout.readline())

    def digest(self, workers, **config):
        """Train in a number of processes; returns the digest that all of them have."""
        results = self.train(workers, **config)
        assert not any("error" in each for each in results), results
        (only,) = {each["digest"] for each in results}
        return only

    def close(self):
        self._popen.stdin.close()
        self._popen.wait(timeout=60)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def work(rank, workers, port, config, pipe):
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(workers), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    try:
        pipe.send(train(config))
    except Exception as error:  # noqa: BLE001 - the test looks at it
        pipe.send({"error": str(error)})


def main():
    import multiprocessing

    import sklearn.datasets  # noqa: F401 - before the forks
    import torch._dynamo  # noqa: F401 - before the forks: optimizers load it

    context = multiprocessing.get_context("fork")
    for line in sys.stdin:
        workers, config = json.loads(line)
        port, pipes, processes = free_port(), [], []
        for rank in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(rank, workers, port, config, theirs))
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        results = []
        for ours, process in zip(pipes, processes, strict=True):
            try:
                results.append(ours.recv())
            except EOFError:
                results.append({"error": "its process was killed"})
            process.join()
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
