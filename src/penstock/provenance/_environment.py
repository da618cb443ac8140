"""Environment and hardware of a run as plain JSON; separate because each system differs."""

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from penstock.provenance._packages import library_files, list_distributions

# Variables that change numbers or their order; no others, so that no secret is ever recorded.
_VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "LANG",
    "LC_ALL",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "PYTHONHASHSEED",
    "TZ",
)


def capture_environment() -> dict[str, Any]:
    """Return the software: Python, system, every distribution, BLAS, settings that change results.

    >>> sorted(capture_environment())
    ['blas', 'implementation', 'packages', 'platform', 'python', 'variables']

    Returns:
        Plain JSON. ``variables`` holds only the few environment variables known to matter.
    """
    return {
        **_interpreter(),
        "packages": list_distributions(),
        "blas": _blas(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


@cache
def capture_hardware() -> dict[str, Any]:
    """Return the machine: architecture, processor, cores, memory, graphics cards.

    >>> capture_hardware()["cores"] >= 1
    True
    """
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": _memory(),
        "gpus": _gpus(),
    }


@cache
def _interpreter() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


@cache
def _blas() -> list[str]:
    names = (*library_files("numpy"), *library_files("scipy"))
    return sorted({name for name in names if "blas" in name or "mkl" in name})


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _gpus() -> list[str]:
    cards: list[str] = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        cards.extend(line.partition(":")[2].strip() for line in lines if line.startswith("Model:"))
    return cards
