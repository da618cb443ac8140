"""Machine usage of a run as metrics: processor, memory, disk, network and GPUs."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from penstock.tracking._run import Run

SYSTEM = "system/"  # prefix of these metrics' names
_EVERY_S = 10.0


class SystemMetrics:
    """Logger of the machine's state in the background, from ``start`` to ``stop``.

    The names begin with ``system/``; the step is seconds since the start. A run shorter than an
    interval has none. GPUs are measured if the extra ``gpu`` is installed and there is a GPU.

    Args:
        run: The run to log to.
        every_s: Seconds between two measurements.
    """

    def __init__(self, run: "Run", *, every_s: float = _EVERY_S) -> None:
        self._run, self._every_s = run, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-system", daemon=True)

    def start(self) -> Self:
        """Start measuring."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop; no point follows."""
        self._ended.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _work(self) -> None:
        started = time.monotonic()
        look: Callable[[], dict[str, float]] | None = None
        while not self._ended.wait(self._every_s):
            with suppress(Exception):  # no measurement of the machine is worth a training
                look = look or looker()
                metrics = {SYSTEM + name: value for name, value in look().items()}
                self._run.log_metrics(metrics, step=round(time.monotonic() - started, 1))


def looker() -> Callable[[], dict[str, float]]:
    """Return a function that measures the machine; rates are since the last call."""
    import psutil  # takes 20 ms, and only runs that last need it

    process, gpus = psutil.Process(), _gpus()
    process.cpu_percent()
    psutil.cpu_percent()
    before = _counters(psutil)

    def look() -> dict[str, float]:
        nonlocal before
        after = _counters(psutil)
        seconds = max(after["at"] - before["at"], 1e-3)
        rates = {
            f"{name}_bytes_per_s": (after[name] - before[name]) / seconds
            for name in after
            if name != "at"
        }
        before = after
        memory = psutil.virtual_memory()
        figures = {
            "cpu_percent": psutil.cpu_percent(),
            "process_cpu_percent": process.cpu_percent(),
            "memory_bytes": float(memory.total - memory.available),
            "memory_percent": memory.percent,
            "process_memory_bytes": float(_tree_memory(psutil, process)),
            "disk_free_bytes": float(psutil.disk_usage(".").free),
        }
        return figures | rates | gpus()

    return look


def _counters(psutil: Any) -> dict[str, float]:
    counters = {"at": time.monotonic()}
    disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
    if disk is not None:
        counters |= {"disk_read": disk.read_bytes, "disk_write": disk.write_bytes}
    if net is not None:
        counters |= {"network_received": net.bytes_recv, "network_sent": net.bytes_sent}
    return counters


def _tree_memory(psutil: Any, process: Any) -> int:
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            total += child.memory_info().rss
    return int(total)


def _gpus() -> Callable[[], dict[str, float]]:
    """Return a function that measures the GPUs; without GPUs an empty result."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(pynvml.nvmlDeviceGetCount())
        ]
    except Exception:  # noqa: BLE001 - not installed, no driver, no GPU: the errors differ
        return dict

    def look() -> dict[str, float]:
        figures: dict[str, float] = {}
        for place, handle in enumerate(handles):
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            figures |= {
                f"gpu{place}_percent": float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
                f"gpu{place}_memory_bytes": float(memory.used),
                f"gpu{place}_memory_percent": 100.0 * memory.used / memory.total,
            }
            with suppress(pynvml.NVMLError):
                figures[f"gpu{place}_watts"] = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
            with suppress(pynvml.NVMLError):
                kind = pynvml.NVML_TEMPERATURE_GPU
                figures[f"gpu{place}_celsius"] = float(
                    pynvml.nvmlDeviceGetTemperature(handle, kind)
                )
        return figures

    return look
