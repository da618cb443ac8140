"""Execution of pipelines: the step runner, runners, results, progress, resume."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution._conversion import convert_argument as convert_argument
    from penstock.execution._debug import StepCall as StepCall
    from penstock.execution._debug import step_call as step_call
    from penstock.execution._decide import decide as decide
    from penstock.execution._loading import load_pipeline as load_pipeline
    from penstock.execution._loading import module_of as module_of
    from penstock.execution._local import LocalRunner as LocalRunner
    from penstock.execution._manifest import read_manifest as read_manifest
    from penstock.execution._manifest import read_source as read_source
    from penstock.execution._manifest import record_provenance as record_provenance
    from penstock.execution._one_step import run_step as run_step
    from penstock.execution._parts import PARTITION as PARTITION
    from penstock.execution._parts import PartitionState as PartitionState
    from penstock.execution._parts import known_partitions as known_partitions
    from penstock.execution._parts import list_partitions as list_partitions
    from penstock.execution._parts import require_partitions as require_partitions
    from penstock.execution._parts import runs_by_partition as runs_by_partition
    from penstock.execution._parts import states_of as states_of
    from penstock.execution._place import entry_of as entry_of
    from penstock.execution._place import project_of as project_of
    from penstock.execution._plan import NOT_TAKEN as NOT_TAKEN
    from penstock.execution._processes import ProcessRunner as ProcessRunner
    from penstock.execution._protocol import Reporter as Reporter
    from penstock.execution._reporters import LineReporter as LineReporter
    from penstock.execution._reporters import QuietReporter as QuietReporter
    from penstock.execution._reporters import RichReporter as RichReporter
    from penstock.execution._result import PipelineResult as PipelineResult
    from penstock.execution._result import StepResult as StepResult
    from penstock.execution._resume import resume_run as resume_run
    from penstock.execution._run import prepare_run as prepare_run
    from penstock.execution._run import run as run
    from penstock.execution._run import run_pipeline as run_pipeline
    from penstock.execution._session import Runner as Runner
    from penstock.execution._session import Session as Session
    from penstock.execution._step_runner import StepOutcome as StepOutcome
    from penstock.execution._step_runner import bind_arguments as bind_arguments
    from penstock.execution._step_runner import execute_step as execute_step
    from penstock.execution._values import load_inputs as load_inputs
    from penstock.execution._watch import Watch as Watch
    from penstock.execution._why import KeyChange as KeyChange
    from penstock.execution._why import Why as Why
    from penstock.execution._why import why as why

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "KeyChange": "_why",
        "LineReporter": "_reporters",
        "LocalRunner": "_local",
        "NOT_TAKEN": "_plan",
        "PARTITION": "_parts",
        "PartitionState": "_parts",
        "PipelineResult": "_result",
        "ProcessRunner": "_processes",
        "QuietReporter": "_reporters",
        "Reporter": "_protocol",
        "RichReporter": "_reporters",
        "Runner": "_session",
        "Session": "_session",
        "StepCall": "_debug",
        "StepOutcome": "_step_runner",
        "StepResult": "_result",
        "Watch": "_watch",
        "Why": "_why",
        "bind_arguments": "_step_runner",
        "convert_argument": "_conversion",
        "decide": "_decide",
        "entry_of": "_place",
        "execute_step": "_step_runner",
        "known_partitions": "_parts",
        "list_partitions": "_parts",
        "load_inputs": "_values",
        "load_pipeline": "_loading",
        "module_of": "_loading",
        "prepare_run": "_run",
        "project_of": "_place",
        "read_manifest": "_manifest",
        "read_source": "_manifest",
        "record_provenance": "_manifest",
        "require_partitions": "_parts",
        "resume_run": "_resume",
        "run": "_run",
        "run_pipeline": "_run",
        "runs_by_partition": "_parts",
        "states_of": "_parts",
        "run_step": "_one_step",
        "step_call": "_debug",
        "why": "_why",
    },
)
