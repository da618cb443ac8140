"""The same training twice on CUDA, bit for bit, and the price of the switches; needs a card."""

import hashlib
import statistics
import sys
import time

from penstock.provenance import deterministic

STEPS, WARM_UP = 60, 10


def train(torch, *, switches: bool) -> tuple[str, float]:
    """Train on the card; returns the digest of all weights and the milliseconds of a step."""
    with deterministic(7, None, switches=switches):
        nn = torch.nn
        module = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1),
            nn.Linear(64 * 32 * 32, 10),
        ).cuda()  # fmt: skip
        optimizer = torch.optim.Adam(module.parameters())
        x = torch.randn(256, 3, 32, 32, device="cuda")
        y = torch.randint(0, 10, (256,), device="cuda")
        seconds = []
        for _ in range(WARM_UP + STEPS):
            torch.cuda.synchronize()
            began = time.perf_counter()
            nn.functional.cross_entropy(module(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        whole = hashlib.sha256()
        for _, tensor in sorted(module.state_dict().items()):
            whole.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest(), 1000 * statistics.median(seconds[WARM_UP:])


def main() -> None:
    try:
        import torch
    except ImportError:
        sys.exit('Not run: torch is not installed (pip install "penstock[torch]").')
    if not torch.cuda.is_available():
        sys.exit("Not run: this machine has no CUDA card.")
    first, with_switches = train(torch, switches=True)
    second, _ = train(torch, switches=True)
    _, without = train(torch, switches=False)
    print("bit for bit equal:", first == second)
    print(f"a step: {with_switches:.2f} ms with the switches, {without:.2f} ms without")
    if first != second:
        sys.exit(1)


if __name__ == "__main__":
    main()
