"""Execution of a step: generators seeded, output captured, time limited; for runners and proofs.

Independent of runs and stores: values in, values out.
"""

import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from penstock.core import StepError
from penstock.execution.step._constants import copy_constants
from penstock.execution.step._conversion import convert_argument
from penstock.execution.step._failures import failure_text, failure_traceback
from penstock.execution.step._logs import captured_output
from penstock.execution.step._outcome import Outcome, class_names
from penstock.execution.step._time_limit import time_limit
from penstock.pipelines import NOTHING, Node, Step, replace_outputs
from penstock.provenance import deterministic
from penstock.stores import Parts
from penstock.tracking import RunStopped

_NO_LIMIT = nullcontext(True)


def execute_step(
    node_name: str,
    function: Step[..., Any] | Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    seed: int,
    threads: int | None = None,
    timeout_s: float | None = None,
    echo: bool = True,
    stream: Callable[[Any], Any] = Parts,
) -> Outcome:
    """Run a step's function on values.

    >>> execute_step("double", lambda number: 2 * number, {"number": 4}, seed=0).results
    {'result': 8}

    Args:
        node_name: Name of the step in the pipeline, for messages.
        function: The step, or a plain function.
        arguments: Values by argument name; tables are converted as the hints ask.
        seed: Seed for the global generators (see ``provenance.derive_seed``).
        threads: Threads for numerical libraries; None for the libraries' defaults.
        timeout_s: Limit in seconds; a step is interrupted in the main thread only, elsewhere the
            step fails when it ends too late.
        echo: False to keep the step's output off the terminal.
        stream: Consumes the values of a generator as they are yielded; by default collects in
            memory.

    Returns:
        The outcome, with values; includes an exception of the step: only KeyboardInterrupt and
        RunStopped are raised.
    """
    step = function if isinstance(function, Step) else Step(function, name=node_name)
    values: dict[str, Any] = {}
    failure: BaseException | None = None
    with (
        captured_output(echo=echo) as log,
        deterministic(seed, threads, switches=step.deterministic) as facts,
    ):
        started = time.perf_counter()
        try:
            with _NO_LIMIT if timeout_s is None else time_limit(timeout_s) as enforced:
                if not enforced:
                    facts["timeout"] = "not enforced outside the main thread"
                converted = {
                    name: convert_argument(value, step.hints.get(name))
                    for name, value in arguments.items()
                }
                with _only_this_process():
                    returned = step.call(converted)
                    whole = stream(returned) if inspect.isgenerator(returned) else returned
                values = split_outputs(node_name, step, whole)
        except (KeyboardInterrupt, RunStopped):
            raise
        except BaseException as error:  # noqa: BLE001 - user code may raise anything (CancelledError)
            failure = error
        seconds = time.perf_counter() - started
    for text in _switch_warnings(node_name, facts, deterministic=step.deterministic):
        log.add("penstock", text)
    if failure is None:
        return Outcome(values, logs=log.lines(), seconds=seconds, facts=facts)
    return Outcome(
        error=failure_text(node_name, failure),
        traceback=failure_traceback(failure, getattr(step.function, "__code__", None)),
        raised=class_names(failure),
        exception=failure,
        logs=log.lines(),
        seconds=seconds,
        facts=facts,
    )


def _switch_warnings(name: str, facts: Mapping[str, Any], *, deterministic: bool) -> Iterator[str]:
    """Iterate over the lines about torch's switches for deterministic kernels."""
    if not deterministic and "switches" in facts:
        yield (
            f"WARNING {name} ran with deterministic=False: a second execution may return other bits,"
            " a cached result stands for one of them, and verify may report DIFFERS."
        )
    for text in facts.get("switched", ()):
        yield (
            f"WARNING {name}, or a library that it used, set {text}: results may differ between"
            " executions. Remove the setting, or declare @step(deterministic=False)."
        )


@contextmanager
def _only_this_process() -> Iterator[None]:
    """End a forked process of the step that returns here: a fork must not continue the run."""
    own = os.getpid()
    code = 1
    try:
        yield
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    except BaseException:
        if os.getpid() != own:
            traceback.print_exc()
        raise
    finally:
        if os.getpid() != own:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def bind_arguments(node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the outputs among a node's arguments by values.

    Args:
        node: Node of a traced graph; a mutable constant is copied, so that no step and no item of a
            map sees changes made by a different step or item.
        inputs: Value by path, named as in ``node.inputs`` and ``StepRunRecord.inputs``: ``split``,
            ``models[0]``.

    Raises:
        StepError: If the recorded inputs differ from those that the step takes now.
    """
    missing = sorted(node.inputs.keys() - inputs.keys())
    if missing and node.step.joins:  # a branch that was not taken has no outputs
        inputs = {**dict.fromkeys(missing), **inputs}
    elif missing:
        raise StepError(
            what=f"Step {node.name!r} takes {', '.join(missing)}, which was not recorded.",
            why="The pipeline is not the one that was run.",
            fix="Restore the recorded source, or run the pipeline anew.",
        )
    constants = copy_constants(node.arguments)
    return {name: replace_outputs(value, name, inputs) for name, value in constants.items()}


def split_outputs(name: str, step: Step[..., Any], value: Any) -> dict[str, Any]:
    """Assign a function's return value to output names.

    Raises:
        StepError: If the annotation is a tuple and the number of values differs.
    """
    if step.outputs == ("result",):
        return {"result": value}
    if value is NOTHING:
        return dict.fromkeys(step.outputs, NOTHING)
    if isinstance(value, tuple | list) and len(value) == len(step.outputs):
        return dict(zip(step.outputs, value, strict=True))
    returned = f"{len(value)} values" if isinstance(value, tuple | list) else type(value).__name__
    raise StepError(
        what=f"Step {name!r} is annotated to return {len(step.outputs)} outputs, but returned {returned}.",
        fix="Return a tuple of that many values, or correct the annotation.",
    )
