"""The names that `import penstock` promises: a change here is a change for every user."""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import penstock

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
MOST_NAMES = 60  # what pipeline files, training scripts and notebooks use every day (0036, 0075)
NAMES = [
    "Again",
    "EvaluationReport",
    "Expectations",
    "FileSource",
    "Model",
    "ModelVersion",
    "Monitor",
    "Partitions",
    "PenstockError",
    "Registry",
    "Resources",
    "Retry",
    "Run",
    "Schedule",
    "Snapshot",
    "Split",
    "Table",
    "__version__",
    "active_run",
    "approve_step",
    "autolog",
    "check_drift",
    "checkpoint",
    "compare",
    "deploy",
    "end_run",
    "evaluate",
    "get_run",
    "log_artifact",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "loop",
    "map",
    "open_store",
    "pipeline",
    "predict",
    "promote",
    "reject_step",
    "run",
    "search_runs",
    "serve",
    "set_tag",
    "set_tags",
    "start_run",
    "step",
    "steps",
    "table_transformer",
    "tune",
    "verify",
    "wait_for_approval",
    "when",
    "why",
]


def test_the_public_names_are_the_written_list():
    assert sorted(penstock.__all__) == sorted(NAMES)
    assert len(set(penstock.__all__)) == len(penstock.__all__)
    assert len(NAMES) <= MOST_NAMES


def test_a_package_loads_on_first_use():
    assert penstock.serving.RolloutController.__module__.startswith("penstock.serving")


def public_functions():
    """Functions, classes and their methods that a package exports, by full name."""
    for package in sorted(penstock._PACKAGES - {"core"}):
        module = getattr(penstock, package)
        for name in module.__all__:
            value = getattr(module, name)
            yield f"{package}.{name}", value
            if inspect.isclass(value) and value.__module__.startswith("penstock"):
                methods = inspect.getmembers(value, inspect.isroutine)
                yield from (
                    (f"{package}.{name}.{key}", each)
                    for key, each in methods
                    if not key.startswith("_")
                )


# Made by penstock and handed to the user, never called with a store by the user.
HANDED_OUT = {
    "execution.PipelineResult",
    "execution.Session",
    "tracking.ActiveRun",
    "tracking.Run",
    "tracking.RunComparison",
}


def test_the_store_is_the_last_keyword_of_every_public_function():
    found = set()
    for name, function in public_functions():
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            continue
        plain = [each for each in parameters if each.kind is not each.VAR_KEYWORD]
        store = next((each for each in plain if each.name == "store"), None)
        if store is not None and (store.kind is not store.KEYWORD_ONLY or store is not plain[-1]):
            found.add(name)
    assert found <= HANDED_OUT


# A bare Any by package; each has its reason on the line, and there are no more than these.
BARE_ANY = {
    "checkpoints": 10,
    "core": 2,
    "distributed": 4,
    "execution": 6,
    "pipelines": 14,
    "steps": 5,
    "stores": 6,
    "tracking": 2,
}


def bare_any(function):
    """The lines of a function's own source on which a parameter or the result is a bare Any."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not inspect.isfunction(function) or not function.__module__.startswith("penstock"):
        return []
    if function.__code__.co_filename.startswith("<"):  # written by dataclass
        return []
    lines, start = inspect.getsourcelines(function)
    node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):  # a lambda
        return []
    own = node.args
    annotated = [*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg]
    hints = [each.annotation for each in annotated if each is not None] + [node.returns]
    return [
        (f"{function.__module__}:{start + hint.lineno - 1}", lines[hint.lineno - 1])
        for hint in hints
        if isinstance(hint, ast.Name) and hint.id == "Any"
    ]


def exported_functions():
    """Exported functions, and exported classes' own public methods, properties and __init__."""
    for package in sorted(penstock._PACKAGES):
        module = getattr(penstock, package)
        for value in (getattr(module, name) for name in module.__all__):
            if inspect.isclass(value):
                own = [
                    each
                    for name, each in vars(value).items()
                    if not name.startswith("_") or name in {"__init__", "__call__"}
                ]
                yield from ((package, getattr(each, "fget", None) or each) for each in own)
            else:
                yield package, value


def test_a_bare_any_in_a_public_signature_has_a_reason_and_is_rare():
    found: dict[str, Any] = {}
    silent = []
    for package, function in exported_functions():
        for place, line in bare_any(function):
            found.setdefault(package, set()).add(place)
            if "# Any: " not in line:
                silent.append(place)
    assert silent == []
    assert {package: len(places) for package, places in found.items()} == BARE_ANY


def test_names_outside_the_list_are_refused():
    with pytest.raises(AttributeError, match="pipelin"):
        _ = penstock.pipelin


@pytest.mark.parametrize("name", sorted(penstock._SHORT))
def test_a_short_name_is_its_package_s_and_not_listed(name):
    package = getattr(penstock, penstock._SHORT[name])
    assert getattr(penstock, name) is getattr(package, name)
    assert name in package.__all__
    assert name not in dir(penstock)


def test_every_public_name_is_found_by_completion():
    assert set(NAMES) <= set(dir(penstock))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_resolves_and_tells_what_it_is(name):
    value = getattr(penstock, name)
    if name != "__version__":
        text = inspect.getdoc(value)
        assert text
        assert text[0].isupper()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_in_the_reference(name):
    text = REFERENCE.read_text(encoding="utf-8")
    assert re.search(rf"(?m)^::: penstock\.{name}\b|`ps\.{name}`", text)


@pytest.mark.parametrize(
    "place", re.findall(r"(?m)^::: penstock\.([\w.]+)$", REFERENCE.read_text(encoding="utf-8"))
)
def test_the_reference_tells_of_nothing_that_is_not_there(place):
    value = penstock
    for part in place.split("."):
        value = getattr(value, part)
    assert inspect.getdoc(value)


def test_a_bare_any_in_a_signature_has_a_reason_on_its_line():
    found = []
    for name in NAMES:
        value = getattr(penstock, name)
        methods = [] if not inspect.isclass(value) else [
            each for key, each in vars(value).items()
            if inspect.isfunction(each) and not key.startswith("_") and name in {"Run", "Registry"}
        ]  # fmt: skip
        for function in [*([value] if inspect.isfunction(value) else []), *methods]:
            head = inspect.getsource(function).partition('"""')[0]
            found += [
                f"{name}: {line.strip()}"
                for line in head.splitlines()
                if re.search(r"\b\w+: ((Mapping|dict)\[str, )?Any\b", line)
                and "**" not in line
                and "# Any:" not in line
            ]
    assert not found
