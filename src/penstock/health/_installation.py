"""Checks of Python, packages, project, store and disk; each failed check has a fix."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from penstock.core import PenstockError, Settings, settings
from penstock.stores import damaged_journals, open_store

_OLDEST = (3, 11)
_LOW_DISK_BYTES = 1 << 30
_EXTRAS = {"pandas": "pandas", "pyarrow": "pandas", "xgboost": "boosters", "lightgbm": "boosters"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check.

    Args:
        name: Name of the check.
        level: ``ok``, ``warn`` or ``fail``.
        found: The state found.
        fix: How to fix the fault; empty without a fault.
    """

    name: str
    level: str
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the check as plain JSON."""
        return asdict(self)


def check_installation(store_url: str | None = None) -> list[CheckResult]:
    """Check Python, packages, project, store and disk; never raises.

    >>> {check.level for check in check_installation()} <= {"ok", "warn", "fail"}
    True

    Args:
        store_url: The store that the user named; by default the project's.
    """
    checks = [_python(), *_packages(), *_extras()]
    try:
        chosen = settings(store_url)
    except PenstockError as error:
        return [*checks, CheckResult("settings", "fail", error.what, error.fix)]
    checks.append(CheckResult("project folder", "ok", str(chosen.project)))
    looks: tuple[Callable[[Settings], CheckResult], ...] = (_store, _journals, _disk, _hash_seed)
    return [*checks, *(look(chosen) for look in looks)]


def _python() -> CheckResult:
    installed = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST:
        return CheckResult("python", "fail", installed, "Use Python 3.11 or newer.")
    return CheckResult("python", "ok", installed)


def _packages() -> Iterator[CheckResult]:
    """Compare penstock's requirements with the installed packages."""
    missing, present = [], 0
    for line in importlib.metadata.requires("penstock") or []:
        requirement, _, marker = line.partition(";")
        if "extra" in marker:
            continue
        name = requirement.strip().split(">")[0].split("=")[0].split("[")[0].strip()
        try:
            importlib.metadata.version(name)
            present += 1
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        fix = f"Run: pip install {' '.join(missing)}"
        yield CheckResult("packages", "fail", f"not installed: {', '.join(missing)}", fix)
    else:
        yield CheckResult("packages", "ok", f"all {present} required packages are installed")


def _extras() -> Iterator[CheckResult]:
    for package, extra in _EXTRAS.items():
        try:
            version = importlib.metadata.version(package)
            yield CheckResult(f"optional {package}", "ok", version)
        except importlib.metadata.PackageNotFoundError:
            fix = f'If you need it: pip install "penstock[{extra}]"'
            yield CheckResult(f"optional {package}", "ok", "not installed", fix)


def _store(chosen: Settings) -> CheckResult:
    where = f"{chosen.store.value} (from {chosen.store.origin})"
    try:
        store = open_store(chosen.store.value, artifacts=chosen.artifacts.value or None)
        runs = store.metadata.runs.count()
        digest = store.artifacts.write(b"penstock doctor")
        store.artifacts.read(digest, check=True)
    except PenstockError as error:
        return CheckResult("store", "fail", f"{where}: {error.what}", error.fix)
    return CheckResult("store", "ok", f"{where}: {runs} runs, artifacts can be written")


def _journals(chosen: Settings) -> CheckResult:
    """Check that the store can be opened, and for damaged journals that were set aside."""
    try:
        store = open_store(chosen.store.value, artifacts=chosen.artifacts.value or None)
    except PenstockError:
        return CheckResult("journals", "warn", "the store cannot be opened", "See the line above.")
    home = store.journal.home
    damaged = damaged_journals(home)
    if damaged:
        reasons = "; ".join(reason for _, reason in damaged[:3])
        fix = "What can be read is in the store. Keep or delete: " + ", ".join(
            str(folder) for folder, _ in damaged
        )
        return CheckResult("journals", "warn", reasons, fix)
    return CheckResult("journals", "ok", f"{home}: none is damaged")


def _disk(chosen: Settings) -> CheckResult:
    folder = next(
        path for path in (chosen.project, *chosen.project.parents, Path("/")) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    space = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < _LOW_DISK_BYTES:
        return CheckResult("disk", "warn", space, "Free some space, or put artifacts elsewhere: "
                     "PENSTOCK_ARTIFACTS=/another/folder")  # fmt: skip
    return CheckResult("disk", "ok", space)


def _hash_seed(_: Settings) -> CheckResult:
    seed = os.environ.get("PYTHONHASHSEED")
    if seed is None or seed == "random":
        return CheckResult("hash seed", "ok", "set to 0 by `penstock run`; not set in this shell")
    return CheckResult("hash seed", "ok", f"PYTHONHASHSEED={seed}")
