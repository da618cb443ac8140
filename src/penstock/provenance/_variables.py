"""Environment variables, looked up without a record in the trace."""

import os

_held = os.environ._data  # type: ignore[attr-defined] # noqa: SLF001 - the look-ups of os.environ are watched

# Look-ups by libraries of their own settings: a step's result does not depend on them.
_SETTINGS = (
    "PENSTOCK_", "PYTHON", "RAY_", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "VECLIB_", "NUMEXPR_",
    "BLAS_", "GOTO_", "JOBLIB_", "LOKY_", "CUDA_", "CUBLAS_", "NCCL_", "TORCH", "PYTORCH", "NPY_",
    "NUMPY_", "MPL", "XDG_", "LC_", "SSH_", "VSCODE_", "PYTEST_", "COV_", "COVERAGE_", "GIT_",
    "JPY_", "CONDA_", "VIRTUAL_ENV", "POLARS_", "RAYON_", "RUST_", "ARROW_", "GRPC_", "LD_",
)  # fmt: skip
_OWN_SETTINGS = frozenset(
    "HOME PATH PWD USER LOGNAME SHELL TERM LANG LANGUAGE TMPDIR TEMP TMP DISPLAY TZ NO_COLOR"  # noqa: SIM905 - read as one line
    " FORCE_COLOR COLORTERM HOSTNAME EDITOR PAGER BROWSER CI WAYLAND_DISPLAY".split()
)


def all_variables() -> dict[str, str]:
    """Return the whole environment."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in _held.items()}


def own_variable(name: str) -> str | None:
    """Return a variable that penstock itself needs; None if unset."""
    value = _held.get(os.environ.encodekey(name))
    return None if value is None else os.fsdecode(value)


def is_librarys_setting(name: str) -> bool:
    """Return whether libraries look a variable up for settings that decide no result."""
    return name in _OWN_SETTINGS or name.startswith(_SETTINGS)
