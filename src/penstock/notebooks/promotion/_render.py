"""The promoted program: plain functions, a pipeline and the test, as text."""

import ast
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.notebooks.promotion._dataflow import needs_of, statements
from penstock.notebooks.promotion._plan import GENERATORS, Plan, PlannedStep
from penstock.notebooks.promotion._recording import Recording
from penstock.notebooks.promotion._source_text import STEP, body_text, indented, module_text
from penstock.notebooks.promotion._statements import NotebookParts
from penstock.notebooks.rules import analyse

_LINE = 88


class Renderer:
    """Writes a plan as Python.

    Args:
        plan: The connected plan.
        parts: The notebook's statements.
        recording: A fresh execution.
        folder: Folder that the program is written to.
    """

    def __init__(
        self, plan: Plan, parts: NotebookParts, recording: Recording, folder: Path
    ) -> None:
        self._plan, self._parts, self._recording = plan, parts, recording
        self._folder = folder
        self._imported = analyse(parts.notebook).imported
        self._extra: set[str] = set()

    def module(self) -> str:
        """Return the module with steps and pipeline."""
        steps = [text for step in self._plan.steps for text in self._step(step)]
        pipeline = self._pipeline()  # before the head: both may need imports
        blocks = [self._head(), *self._body_of_module(), *steps, pipeline]
        return "\n\n\n".join(block.strip("\n") for block in blocks if block.strip()) + "\n"

    def test(self) -> str:
        """Return the test file."""
        return _TEST.format(pipeline=self._plan.pipeline, notebook=self._plan.notebook)

    def _head(self) -> str:
        imports = [module_text(each) for each in self._parts.imports]
        future = [text for text in imports if text.startswith("from __future__")]
        rest = [text for text in imports if text not in future]
        uses = " ".join(ast.unparse(each.node) for each in self._all())
        if re.search(r"\bdisplay\(", uses) and "display" not in self._imported:
            rest.append("from IPython.display import display")
        own = ["import penstock as ps"]
        if any(step.draws or step.hands_on for step in self._plan.steps):
            own.append("from penstock.notebooks import generator_states, set_generator_states")
        name = Path(self._plan.notebook).name
        text = (
            f'"""Pipeline {self._plan.pipeline}, promoted from {name}.\n\n'
            f"Relative paths begin where the notebook is: run it from there.\n"
            '"""'
        )
        typing = sorted(each for each in self._extra if not each.startswith("from "))
        head = [f"from typing import {', '.join(typing)}"] if typing else []
        extra = sorted(each for each in self._extra if each.startswith("from "))
        beside = self._beside()
        groups = [[text], future, beside or head, *([head] if beside else []), [*rest, *extra], own]
        return "\n\n".join("\n".join(group) for group in groups if group)

    def _beside(self) -> list[str]:
        """Return the lines that find modules beside the notebook."""
        place = self._parts.notebook.path.resolve().parent
        roots = {name.partition(".")[0] for name in self._imported.values()}
        if not any((place / f"{n}.py").is_file() or (place / n).is_dir() for n in roots if n):
            return []
        relative = os.path.relpath(place, self._folder.resolve())
        return [
            "import sys",
            "from pathlib import Path",
            "",
            f"sys.path.insert(0, str((Path(__file__).parent / {relative!r}).resolve()))",
        ]

    def _body_of_module(self) -> list[str]:
        settings = "\n".join(module_text(each) for each in self._parts.settings)
        constants = "\n".join(module_text(each) for each in self._parts.constants)
        return [settings, constants, *(module_text(each) for each in self._parts.definitions)]

    def _all(self) -> list[Any]:
        bodies = [each for body in self._parts.bodies.values() for each in body]
        return [*bodies, *self._parts.definitions, *self._parts.local_definitions.values()]

    def _step(self, step: PlannedStep) -> list[str]:
        types = {name: self._type(dotted) for name, dotted in step.outputs.items()}
        if step.hands_on:
            types[GENERATORS] = "dict"
        inputs = [f"{name}: {self._input_type(name, step)}" for name in step.inputs]
        inputs += [f"{GENERATORS}: dict"] if step.draws else []
        rendered = []
        if len(types) > 1:
            rendered.append(self._outputs_class(step, types))
        returns = _class_name(step) if len(types) > 1 else next(iter(types.values()), "None")
        lines = [
            "@ps.step",
            _call(f"def {step.name}", inputs, f" -> {returns}:"),
            _docstring(step.text, step.name),
            *self._step_body(step),
            *_return(step, list(types)),
        ]
        return [*rendered, "\n".join(lines)]

    def _step_body(self, step: PlannedStep) -> list[str]:
        local = needs_of(step, self._parts, self._recording).local
        lines = [indented(module_text(self._parts.local_definitions[name])) for name in local]
        lines += [f"{STEP}set_generator_states({GENERATORS})"] if step.draws else []
        return [*lines, body_text(statements(step, self._parts))]

    def _outputs_class(self, step: PlannedStep, types: Mapping[str, str]) -> str:
        self._extra.add("NamedTuple")
        fields = [f"{STEP}{name}: {kind}" for name, kind in types.items()]
        text = f'{STEP}"""What {step.name} returns."""'
        return "\n".join([f"class {_class_name(step)}(NamedTuple):", text, "", *fields])

    def _pipeline(self) -> str:
        parameters = [
            f"{name}: {type(value).__name__} = {value!r}"
            for name, value in self._plan.parameters.items()
        ]
        calls = [_step_call(step) for step in self._plan.steps]
        last = next((step for step in reversed(self._plan.steps) if step.outputs), None)
        names = list(last.outputs) if last is not None else []
        kinds = [self._type(last.outputs[name]) for name in names] if last is not None else []
        hint = kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"
        lines = [
            "@ps.pipeline",
            _call(f"def {self._plan.pipeline}", parameters, f" -> {hint if names else 'None'}:"),
            f'{STEP}"""Compute what {Path(self._plan.notebook).name} computes from top to bottom."""',
            *(STEP + line for call in calls for line in call.split("\n")),
        ]
        return "\n".join([*lines, *([f"{STEP}return {', '.join(names)}"] if names else [])])

    def _input_type(self, name: str, step: PlannedStep) -> str:
        if name in self._plan.parameters:
            return type(self._plan.parameters[name]).__name__
        facts = self._recording.before(step.cells[0]).get(name)
        return self._type(str(facts["type"])) if facts is not None else self._any()

    def _any(self) -> str:
        self._extra.add("Any")
        return "Any"

    def _type(self, dotted: str) -> str:
        """Return a type as the module names it; adds an import where missing."""
        module, _, name = dotted.rpartition(".")
        if module == "builtins":
            return "None" if name == "NoneType" else name
        for alias, whole in self._imported.items():
            if whole == dotted:
                return alias
        for alias, whole in self._imported.items():
            if whole == module and "." not in alias:
                return f"{alias}.{name}"
        is_free = (
            name not in self._parts.module_names and name not in self._recording.cells[-1].values
        )
        if not name.isidentifier() or "_" in module.split(".") or not is_free:
            return self._any()
        if any(part.startswith("_") for part in dotted.split(".")):
            return self._any()
        self._extra.add(f"from {module} import {name}")
        return name


def _class_name(step: PlannedStep) -> str:
    return "".join(word.capitalize() for word in step.name.split("_")) + "Outputs"


def _return(step: PlannedStep, names: Sequence[str]) -> list[str]:
    values = {name: "generator_states()" if name == GENERATORS else name for name in names}
    if not names:
        return []
    if len(names) == 1:
        return [f"{STEP}return {values[names[0]]}"]
    items = [f"{name}={value}" for name, value in values.items()]
    return indented(_call(f"return {_class_name(step)}", items, "")).split("\n")


def _step_call(step: PlannedStep) -> str:
    targets = [*step.outputs, *([GENERATORS] if step.hands_on else [])]
    arguments = [*step.inputs, *([GENERATORS] if step.draws else [])]
    before = f"{', '.join(targets)} = " if targets else ""
    return _call(f"{before}{step.name}", arguments, "")


def _call(before: str, items: Sequence[str], after: str) -> str:
    flat = f"{before}({', '.join(items)}){after}"
    if len(flat) <= _LINE or not items:
        return flat
    return "\n".join([f"{before}(", *(f"{STEP}{item}," for item in items), f"){after}"])


def _docstring(text: str, name: str) -> str:
    """Return the markdown of a step as the docstring; the first line is a sentence."""
    lines = [
        line.rstrip() for line in text.replace("\\", "\\\\").replace('"""', "'''").splitlines()
    ]
    first = next((line.strip("# ").strip() for line in lines if line.strip("# ")), "")
    title = first or name.replace("_", " ").capitalize()
    rest = (
        "\n".join(lines[lines.index(next(x for x in lines if x.strip("# "))) + 1 :])
        if first
        else ""
    )
    whole = [f'{STEP}"""{title.rstrip(".")}.']
    if not rest.strip():
        return whole[0].replace('"".', '""').removesuffix('"') + '"""'
    body = [f"{STEP}{line}" if line else "" for line in rest.strip("\n").split("\n")]
    return "\n".join([*whole, "", *body, f'{STEP}"""'])


def golden_json(digests: Mapping[str, Mapping[str, str]], versions: Mapping[str, str]) -> str:
    """Return the digests of all outputs, with the versions that they were made with."""
    return json.dumps({"versions": dict(versions), "outputs": digests}, indent=2) + "\n"


_TEST = '''"""Tests of {pipeline}: its outputs are those of the promotion, and those of the notebook."""

from pathlib import Path

from penstock.notebooks import compare_with_golden, compare_with_notebook

PLAN = Path(__file__).parent / "plan.toml"


def test_the_outputs_are_those_of_the_promotion():
    assert compare_with_golden(PLAN) == []


def test_the_pipeline_equals_the_notebook():
    """Every output against the value of that name in a fresh top-down execution of {notebook}."""
    assert compare_with_notebook(PLAN) == []
'''
