"""Messages between a run's process and workers, and how a worker finds a step.

A worker is sent names, not functions: the worker loads the pipeline's file, traces the pipeline as
the run did and takes the step of that name. The worker so executes the same code as `penstock step`
or a different machine would, and checks that the code matches the run's key: a file that was edited
meanwhile must not give a result under the key of the old code.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.core import ArtifactRecord, StepError, StepRunRecord, require, short
from penstock.execution.engine import (
    Session,
    Values,
    entry_of,
    load_pipeline,
    read_manifest,
    read_source,
)
from penstock.execution.step import Work
from penstock.pipelines import Graph, Node
from penstock.provenance import CodeDigest, code_digest, restore_source
from penstock.stores import Store

_SHOWN = 5  # names in an error


@dataclass(frozen=True)
class Setup:
    """Settings that a worker gets at the start.

    Args:
        store: Address of the store.
        artifacts: URL of the artifact store.
        run_id: Id of the run.
        target: The pipeline as ``file.py:name``; None if the pipeline is in no file.
        project: Folder of the user's code.
        path: Folders in which modules are searched.
        scratch: Folder of the run for files that workers share.
    """

    store: str
    artifacts: str
    run_id: str
    target: str | None
    project: str
    path: Sequence[str] = field(default_factory=lambda: tuple(sys.path))
    scratch: str | None = None


@dataclass(frozen=True)
class Order:
    """A step to execute.

    Args:
        name: Name of the step in the pipeline; ``train[3]`` for an item.
        record: The step run at the start.
        inputs: Records of the inputs, by path.
        pickled: The pickled node, if the pipeline is in no file.
        code: Digest of the code in the step key.
        parts: Parts of that digest, by place.
    """

    name: str
    record: StepRunRecord
    inputs: Mapping[str, ArtifactRecord]
    pickled: bytes | None = None
    code: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)


def make_setup(session: Session, scratch: Path | None = None) -> Setup:
    """Return the settings for the workers of a run."""
    return Setup(
        session.store.address,
        session.store.artifacts.url,
        session.run.run_id,
        _target(session),
        str(session.project),
        tuple(sys.path),
        str(scratch) if scratch else None,
    )


def make_order(setup: Setup, work: Work, values: Values) -> Order:
    """Return the order to execute a step.

    Raises:
        MissingPackageError: If the pipeline is in no file and cloudpickle is not installed.
        NotFoundError: If the record of an input is gone.
    """
    inputs = {
        path: values.record(output)
        for path, output in work.node.inputs.items()
        if values.has(output)
    }
    pickled = None
    if setup.target is None:
        cloudpickle = require(
            "cloudpickle",
            extra="pickle",
            purpose="sending a step to another process that is in no file (a notebook, a function)",
        )
        pickled = cloudpickle.dumps(work.node)
    key = work.record.facts.get("key_parts", {})
    parts = key.get("code_parts", {})
    return Order(work.node.name, work.record, inputs, pickled, key.get("code"), parts)


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

    def node(self, order: Order) -> Node:
        """Return the node of an order.

        Raises:
            StepError: If the node does not exist any more, or the code has changed.
        """
        if order.pickled is not None:
            import pickle

            node: Node = pickle.loads(order.pickled)  # noqa: S301 - from our own parent process
            return node
        found = self._graph.find(order.name)
        if found is None:
            raise StepError(
                what=f"{self._setup.target} has no step {order.name!r} any more.",
                why="The file was edited while the run was going on.",
                fix=f"Go on with the new code: penstock run --resume {self._setup.run_id}",
            )
        self._require_same_code(found, order)
        return found

    @cached_property
    def _graph(self) -> Graph:
        pipeline = load_pipeline(self._target())
        graph = pipeline.trace(**pipeline.bind(self._arguments))
        for node in graph.nodes:  # before any step runs here, and may change a value
            self._code_of(node.step.function)
        return graph

    def _code_of(self, function: Any) -> CodeDigest:
        if function not in self._code:
            self._code[function] = code_digest(function, self.project, self._store.digest)
        return self._code[function]

    def _target(self) -> str:
        """Return the entry point here; the recorded source is restored if the file is missing."""
        target = str(self._setup.target)
        file, _, name = target.rpartition(":")
        if not file.endswith(".py") or Path(file).is_file():
            return target
        record = self._store.metadata.runs.get(self._setup.run_id)
        folder = Path(tempfile.mkdtemp(prefix="penstock-source-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        restore_source(
            read_source(read_manifest(record, store=self._store), store=self._store), folder
        )
        self.project = folder
        os.chdir(folder)  # data files are named relative to the project
        return f"{folder / Path(file).relative_to(self._setup.project)}:{name}"

    def _require_same_code(self, node: Node, order: Order) -> None:
        if order.code is None:
            return
        code = self._code_of(node.step.function)
        if code.digest != order.code:
            raise StepError(
                what=f"The code of step {order.name!r} is not what it was when the run began."
                f"{_differing(code, order)}",
                why="Its result would be kept under the key of the code before.",
                fix="If a file was edited, go on with the new code: penstock run --resume"
                f" {self._setup.run_id}. If a module's value was changed after its import, pass it"
                " to the step as an argument: workers import modules anew.",
            )


def _differing(code: CodeDigest, order: Order) -> str:
    """Return the parts of the code that differ from those of the key."""
    here = {name: short(text) for name, text in code.parts.items()}
    there = {name: short(text) for name, text in order.parts.items()}
    names = [name for name in sorted(here | there) if here.get(name) != there.get(name)]
    return f" Other than then: {', '.join(names[:_SHOWN])}." if names else ""


def _target(session: Session) -> str | None:
    """Return the entry point for a different process to load; None if there is no file."""
    entry = entry_of(session.pipeline, session.project) if session.pipeline else None
    is_file = entry is not None and entry.rpartition(":")[0].endswith(".py")
    return f"{session.project}/{entry}" if is_file else entry
