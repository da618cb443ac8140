"""torch's switches for deterministic kernels: set before a step, checked afterwards, recorded."""

import os
from functools import cache
from typing import Any

# By name: value for equal results, torch's own value, both as `read_switches` returns them.
_SWITCHES: dict[str, tuple[Any, Any]] = {
    "deterministic algorithms": ("warn", "default"),
    "cudnn.deterministic": (True, False),
    "cudnn.benchmark": (False, False),
    "cudnn.allow_tf32": (False, True),
    "matmul.allow_tf32": (False, False),
}
_MODES = ("default", "warn", "error")


def set_switches(torch: Any, *, deterministic: bool) -> None:
    """Set the switches for equal results, or back to torch's own values."""
    # cuBLAS reads this once, when its first handle is made.
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    values = {name: pair[0 if deterministic else 1] for name, pair in _SWITCHES.items()}
    # "warn": an operation without a deterministic kernel must not stop the user's work.
    torch.set_deterministic_debug_mode(values["deterministic algorithms"])
    if deterministic:
        _set_compiler_deterministic()
    backends = torch.backends
    backends.cudnn.deterministic = values["cudnn.deterministic"]
    backends.cudnn.benchmark = values["cudnn.benchmark"]
    backends.cudnn.allow_tf32 = values["cudnn.allow_tf32"]
    backends.cuda.matmul.allow_tf32 = values["matmul.allow_tf32"]


def read_switches(torch: Any) -> dict[str, Any]:
    """Return the switches as they are now."""
    backends = torch.backends
    return {
        "deterministic algorithms": _MODES[torch.get_deterministic_debug_mode()],
        "cudnn.deterministic": backends.cudnn.deterministic,
        "cudnn.benchmark": backends.cudnn.benchmark,
        "cudnn.allow_tf32": backends.cudnn.allow_tf32,
        "matmul.allow_tf32": backends.cuda.matmul.allow_tf32,
    }


def changed_switches(present: dict[str, Any]) -> list[str]:
    """Return the switches that no longer make results equal.

    >>> changed_switches({"cudnn.benchmark": True, "cudnn.deterministic": True})
    ['cudnn.benchmark=True']
    """
    return [
        f"{name}={value}"
        for name, value in present.items()
        if value != _SWITCHES[name][0] and value != "error"  # stricter than asked for
    ]


@cache
def _set_compiler_deterministic() -> None:
    """Configure torch's compiler as deterministic once loaded.

    `use_deterministic_algorithms` loads the compiler to configure that, which takes seconds that
    most steps, and every process of a proof, would spend for nothing.
    """
    from wrapt import register_post_import_hook

    def tell(config: Any) -> None:
        if hasattr(config, "deterministic"):
            config.deterministic = True

    register_post_import_hook(tell, "torch._inductor.config")
