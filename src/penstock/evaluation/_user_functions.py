"""Functions of user metrics, found again where a champion is compared later or elsewhere."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.core import find_project
from penstock.evaluation import _quantile_forecasts, _ready_metrics, _scaled_errors
from penstock.evaluation._user_metrics import UserMetric, read_metrics

_READY = (_ready_metrics, _quantile_forecasts, _scaled_errors)
_LIVE: dict[tuple[str, str], UserMetric] = {}


def remember(metric: UserMetric) -> dict[str, Any]:
    """Keep a metric for this process; return the facts by which later processes find the function."""
    _LIVE[metric.name, metric.code] = metric
    function = metric.function
    code = getattr(function, "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    project = find_project()
    inside = file is not None and file.is_relative_to(project)
    return {
        "name": metric.name,
        "better": metric.better,
        "code": metric.code,
        "module": getattr(function, "__module__", "") or "",
        "function": getattr(function, "__qualname__", "") or "",
        "recipe": function.recipe() if hasattr(function, "recipe") else None,
        "file": file.relative_to(project).as_posix() if file is not None and inside else "",
    }


def find_metric(facts: Mapping[str, Any]) -> UserMetric | str:
    """Return a report's metric with the function; or the reason why the function is not found.

    Args:
        facts: Facts that ``remember`` returned.
    """
    name, code = facts["name"], facts["code"]
    if (name, code) in _LIVE:
        return _LIVE[name, code]
    if facts.get("recipe"):
        maker = facts["recipe"]["maker"]
        home = next(module for module in _READY if hasattr(module, maker))
        made: UserMetric = getattr(home, maker)(**facts["recipe"]["arguments"])
        return replace(made, name=name)
    place = facts["file"] or facts["module"]
    for module in _modules(facts):
        value: Any = module
        for part in facts["function"].split("."):
            value = getattr(value, part, None)
        function = value.function if isinstance(value, UserMetric) else value
        if not callable(function):
            continue
        metric = read_metrics([UserMetric(name, function, facts["better"])])[0]
        if metric.code == code:
            _LIVE[name, code] = metric
            return metric
        return f"the code of {facts['function']} in {place} is not the code that judged the report"
    return f"the function {facts['function']} is not found in {place}"


def _modules(facts: Mapping[str, Any]) -> list[ModuleType]:
    modules = []
    if facts["module"] and facts["module"] != "__main__":
        try:
            modules.append(importlib.import_module(facts["module"]))
        except Exception:  # noqa: BLE001 - the module may be anything; its file is tried next
            modules.clear()
    path = find_project() / facts["file"]
    if facts["file"] and path.is_file():
        name = f"penstock_metric_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
                modules.append(module)
            except Exception:  # noqa: BLE001 - a file that cannot be executed has no function
                del sys.modules[name]
    return modules
