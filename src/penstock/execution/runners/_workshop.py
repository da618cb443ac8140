"""Work on the way to a worker process, and how a worker finds the step there.

A worker is sent names, not functions: work is pickled with the name of its node, and the worker
loads the pipeline's file, traces the pipeline as the run did and takes the step of that name. The
worker so executes the same code as `penstock step` or a different machine would, and checks that
the code matches the run's key: a file that was edited meanwhile must not give a result under the
key of the old code.
"""

import atexit
import io
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.core import StepError, StepRunRecord, short
from penstock.execution.engine import Values, load_pipeline, read_manifest, read_source
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._surroundings import Arrived
from penstock.execution.step import Work
from penstock.pipelines import EntryPoint, Graph, Node
from penstock.provenance import CodeDigest, code_digest, restore_source
from penstock.stores import Store

_SHOWN = 5  # names in an error


def pack_work(setup: Setup, work: Work, values: Values) -> bytes:
    """Return work as bytes that `Workshop.unpack` reads in a worker process.

    Raises:
        MissingPackageError: If the pipeline is in no file and cloudpickle is not installed.
        StepError: If the notebook has changed libraries in a way that no worker can repeat.
        NotFoundError: If the record of an input is gone.
    """
    inputs = {
        path: values.record(output)
        for path, output in work.node.inputs.items()
        if values.has(output)
    }
    whole = replace(work, inputs=inputs)
    if setup.target is None:
        return setup.around.dump(whole)
    file = io.BytesIO()
    _NodesByName(file, protocol=pickle.HIGHEST_PROTOCOL).dump(whole)
    return pickle.dumps((setup.around.alone, file.getvalue()))


class Workshop:
    """The pipeline of a run as loaded by a worker.

    Args:
        setup: Settings of the worker.
        store: Store of the run.
        arguments: Parameters of the run.
    """

    def __init__(self, setup: Setup, store: Store, arguments: Mapping[str, Any]) -> None:
        self._setup, self._store, self._arguments = setup, store, arguments
        self.project = Path(setup.project)
        """Folder of the code on this machine."""
        self._code: dict[Any, CodeDigest] = {}
        self._checked: set[str] = set()  # digests of code whose modules are as in the run's process

    def unpack(self, packed: bytes) -> Work:
        """Return the work that `pack_work` packed, after the patches and settings of its run are made.

        Raises:
            StepError: If the step does not exist any more, or the code has changed.
        """
        if self._setup.target is None:
            arrived = Arrived.load(packed)
            arrived.make_patches()
            work: Work = arrived.what
            self._require_same_files(work.node, work.record)
        else:
            around, rest = pickle.loads(packed)  # noqa: S301 - from the run's process
            arrived = Arrived.load(around)
            arrived.make_patches()
            work = _NodesOfPipeline(io.BytesIO(rest), self._find).load()
            self._require_same_code(work.node, work.record)
        arrived.use_settings()
        return work

    def _find(self, name: str) -> Node:
        node = self._graph.find(name)
        if node is None:
            raise StepError(
                what=f"{self._setup.target} has no step {name!r} any more.",
                why="The file was edited during the run.",
                fix=f"Resume with the new code: penstock run --resume {self._setup.run_id}",
            )
        return node

    @cached_property
    def _graph(self) -> Graph:
        assert self._setup.target is not None  # else the node itself was sent
        pipeline = load_pipeline(self._entry(self._setup.target))
        graph = pipeline.trace(**pipeline.bind(self._arguments))
        for node in graph.nodes:  # before any step runs here, and may change a value
            self._code_of(node.step.function)
        return graph

    def _code_of(self, function: Any) -> CodeDigest:
        if function not in self._code:
            self._code[function] = code_digest(function, self.project, self._store.digest)
        return self._code[function]

    def _entry(self, entry: EntryPoint) -> EntryPoint:
        """Return the entry point here; the recorded source is restored if the file is missing."""
        if not entry.is_file or Path(entry.module).is_file():
            return entry
        record = self._store.metadata.runs.get(self._setup.run_id)
        folder = Path(tempfile.mkdtemp(prefix="penstock-source-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        restore_source(
            read_source(read_manifest(record, store=self._store), store=self._store), folder
        )
        self.project = folder
        os.chdir(folder)  # data files are named relative to the project
        file = Path(entry.module).relative_to(self._setup.project).as_posix()
        return replace(entry, module=file).below(folder)

    def _require_same_code(self, node: Node, record: StepRunRecord) -> None:
        key = record.facts.get("key_parts", {})
        if key.get("code") is None:
            return
        code = self._code_of(node.step.function)
        if code.digest != key["code"]:
            raise StepError(
                what=f"The code of step {node.name!r} is not what it was when the run began."
                f"{_differing(code, key.get('code_parts', {}))}",
                why="Its result would be stored under the key of the previous code.",
                fix="If a file was edited, resume with the new code: penstock run --resume"
                f" {self._setup.run_id}. If a module's value was changed after its import, pass it"
                " to the step as an argument: workers import modules anew.",
            )

    def _require_same_files(self, node: Node, record: StepRunRecord) -> None:
        """Require of a step that is in no file that the modules it reads are as in its run's process.

        The step itself came from there; a module is imported anew, and a notebook may have changed
        what it holds.
        """
        parts = record.facts.get("key_parts", {})
        there = {n: text for n, text in parts.get("code_parts", {}).items() if _is_in_module(n)}
        if not there or parts["code"] in self._checked:
            return
        here = {n: short(t) for n, t in self._code_of(node.step.function).parts.items()}
        changed = [name for name, text in there.items() if here.get(name, text) != text]
        if changed:
            raise StepError(
                what=f"Step {node.name!r} reads something else here than in the run's process:"
                f" {', '.join(changed[:_SHOWN])}.",
                why="A module's value or function was changed after its import, by a cell or in the"
                " file; workers import modules anew.",
                fix='Pass the value to the step as an argument, or run with runner="local".',
            )
        self._checked.add(parts["code"])


class _NodesByName(pickle.Pickler):
    """Pickler that writes a node as the name."""

    def persistent_id(self, obj: Any) -> str | None:
        return obj.name if type(obj) is Node else None


class _NodesOfPipeline(pickle.Unpickler):
    """Unpickler that takes a node from the pipeline by name; reads from the run's process only."""

    def __init__(self, file: io.BytesIO, find: Callable[[str], Node]) -> None:
        super().__init__(file)
        self._find = find

    def persistent_load(self, pid: Any) -> Node:
        return self._find(pid)


def _is_in_module(part: str) -> bool:
    """Return whether a part of a step's code is a name of a module's file."""
    file, _, name = part.rpartition(":")
    return file.endswith(".py") and not name.startswith("(")


def _differing(code: CodeDigest, recorded: Mapping[str, str]) -> str:
    """Return the parts of the code that differ from those of the key."""
    here = {name: short(text) for name, text in code.parts.items()}
    there = {name: short(text) for name, text in recorded.items()}
    names = [name for name in sorted(here | there) if here.get(name) != there.get(name)]
    return f" Other than then: {', '.join(names[:_SHOWN])}." if names else ""
