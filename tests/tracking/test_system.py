"""The machine's state is logged in the background, in figures that psutil gives as well."""

import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from penstock.stores import open_store
from penstock.tracking import SYSTEM, start_run
from penstock.tracking._system import SystemMetrics, looker


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_a_look_agrees_with_psutil():
    found = looker()()
    assert 0 <= found["cpu_percent"] <= 100
    assert found["memory_percent"] == pytest.approx(psutil.virtual_memory().percent, abs=10)
    own = psutil.Process().memory_info().rss
    assert found["process_memory_bytes"] >= 0.8 * own
    assert found["disk_free_bytes"] == pytest.approx(psutil.disk_usage(".").free, rel=0.05)
    assert found["network_sent_bytes_per_s"] >= 0


def test_points_come_while_the_run_goes_on_and_stop_with_it(store):
    with start_run(store=store, system_metrics=False) as run:
        system = SystemMetrics(run, every_s=0.05).start()
        time.sleep(0.5)
        system.stop()
    history = run.metric_history(SYSTEM + "cpu_percent")
    assert history.height >= 2
    assert history["step"].is_sorted()
    assert all(name.startswith(SYSTEM) for name in run.metrics)


def test_a_short_run_has_none(store):
    with start_run(store=store) as run:
        run.log_metric("loss", 1.0)
    assert list(run.metrics) == ["loss"]


def test_gpus_are_seen_through_their_library(monkeypatch):
    # A stand-in for the driver's library: this machine has no GPU.
    fake = SimpleNamespace(
        NVMLError=RuntimeError,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=5, total=20),
        nvmlDeviceGetUtilizationRates=lambda place: SimpleNamespace(gpu=10 * place),
        nvmlDeviceGetPowerUsage=lambda _: 70_000,
        nvmlDeviceGetTemperature=lambda *_: 55,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    found = looker()()
    assert (found["gpu1_percent"], found["gpu0_memory_percent"]) == (10.0, 25.0)
    assert (found["gpu0_watts"], found["gpu1_celsius"]) == (70.0, 55.0)


def test_a_machine_without_gpus_has_no_figures_of_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert not [name for name in looker()() if name.startswith("gpu")]
