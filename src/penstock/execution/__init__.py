"""Execution of pipelines: the step runner, runners, results, progress, resume."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution._approval import approve_step as approve_step
    from penstock.execution._approval import reject_step as reject_step
    from penstock.execution._approval import require_decision as require_decision
    from penstock.execution._debug import StepCall as StepCall
    from penstock.execution._debug import get_step_call as get_step_call
    from penstock.execution._in_order import map_in_order as map_in_order
    from penstock.execution._key_changes import KeyChange as KeyChange
    from penstock.execution._one_step import list_items as list_items
    from penstock.execution._one_step import run_step as run_step
    from penstock.execution._reporters import LineReporter as LineReporter
    from penstock.execution._reporters import QuietReporter as QuietReporter
    from penstock.execution._reporters import RichReporter as RichReporter
    from penstock.execution._run import prepare_pipeline as prepare_pipeline
    from penstock.execution._run import prepare_run as prepare_run
    from penstock.execution._run import resume_run as resume_run
    from penstock.execution._run import run as run
    from penstock.execution._run import run_pipeline as run_pipeline
    from penstock.execution._why import Why as Why
    from penstock.execution._why import why as why
    from penstock.execution.engine import PARTITION as PARTITION
    from penstock.execution.engine import OnFailure as OnFailure
    from penstock.execution.engine import PartitionState as PartitionState
    from penstock.execution.engine import PipelineResult as PipelineResult
    from penstock.execution.engine import Reporter as Reporter
    from penstock.execution.engine import Runner as Runner
    from penstock.execution.engine import RunnerName as RunnerName
    from penstock.execution.engine import RunOptions as RunOptions
    from penstock.execution.engine import Session as Session
    from penstock.execution.engine import known_partitions as known_partitions
    from penstock.execution.engine import list_partitions as list_partitions
    from penstock.execution.engine import load_function as load_function
    from penstock.execution.engine import load_inputs as load_inputs
    from penstock.execution.engine import load_pipeline as load_pipeline
    from penstock.execution.engine import module_of as module_of
    from penstock.execution.engine import project_of as project_of
    from penstock.execution.engine import read_manifest as read_manifest
    from penstock.execution.engine import read_source as read_source
    from penstock.execution.engine import record_provenance as record_provenance
    from penstock.execution.engine import require_partitions as require_partitions
    from penstock.execution.engine import retrace as retrace
    from penstock.execution.engine import runs_by_partition as runs_by_partition
    from penstock.execution.engine import states_of as states_of
    from penstock.execution.engine import step_to_json as step_to_json
    from penstock.execution.engine import training_facts as training_facts
    from penstock.execution.runners import LocalRunner as LocalRunner
    from penstock.execution.runners import LocalRunPool as LocalRunPool
    from penstock.execution.runners import ProcessRunner as ProcessRunner
    from penstock.execution.runners import ProcessRunPool as ProcessRunPool
    from penstock.execution.runners import RayRunPool as RayRunPool
    from penstock.execution.runners import RunEnd as RunEnd
    from penstock.execution.runners import RunListener as RunListener
    from penstock.execution.runners import RunOrder as RunOrder
    from penstock.execution.runners import RunPool as RunPool
    from penstock.execution.runners import Watch as Watch
    from penstock.execution.runners import rank_launcher as rank_launcher
    from penstock.execution.step import Outcome as Outcome
    from penstock.execution.step import bind_arguments as bind_arguments
    from penstock.execution.step import convert_argument as convert_argument
    from penstock.execution.step import execute_step as execute_step

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "KeyChange": "_key_changes",
        "map_in_order": "_in_order",
        "LineReporter": "_reporters",
        "LocalRunner": "penstock.execution.runners",
        "OnFailure": "penstock.execution.engine",
        "RunOptions": "penstock.execution.engine",
        "RunnerName": "penstock.execution.engine",
        "Outcome": "penstock.execution.step",
        "PARTITION": "penstock.execution.engine",
        "PartitionState": "penstock.execution.engine",
        "PipelineResult": "penstock.execution.engine",
        "ProcessRunner": "penstock.execution.runners",
        "QuietReporter": "_reporters",
        "Reporter": "penstock.execution.engine",
        "RichReporter": "_reporters",
        "Runner": "penstock.execution.engine",
        "Session": "penstock.execution.engine",
        "StepCall": "_debug",
        "LocalRunPool": "penstock.execution.runners",
        "ProcessRunPool": "penstock.execution.runners",
        "RayRunPool": "penstock.execution.runners",
        "RunEnd": "penstock.execution.runners",
        "RunListener": "penstock.execution.runners",
        "RunOrder": "penstock.execution.runners",
        "RunPool": "penstock.execution.runners",
        "Watch": "penstock.execution.runners",
        "Why": "_why",
        "bind_arguments": "penstock.execution.step",
        "convert_argument": "penstock.execution.step",
        "approve_step": "_approval",
        "reject_step": "_approval",
        "require_decision": "_approval",
        "execute_step": "penstock.execution.step",
        "known_partitions": "penstock.execution.engine",
        "list_items": "_one_step",
        "list_partitions": "penstock.execution.engine",
        "load_inputs": "penstock.execution.engine",
        "load_function": "penstock.execution.engine",
        "load_pipeline": "penstock.execution.engine",
        "module_of": "penstock.execution.engine",
        "prepare_pipeline": "_run",
        "prepare_run": "_run",
        "project_of": "penstock.execution.engine",
        "rank_launcher": "penstock.execution.runners",
        "read_manifest": "penstock.execution.engine",
        "read_source": "penstock.execution.engine",
        "record_provenance": "penstock.execution.engine",
        "require_partitions": "penstock.execution.engine",
        "resume_run": "_run",
        "retrace": "penstock.execution.engine",
        "run": "_run",
        "run_pipeline": "_run",
        "runs_by_partition": "penstock.execution.engine",
        "states_of": "penstock.execution.engine",
        "run_step": "_one_step",
        "get_step_call": "_debug",
        "step_to_json": "penstock.execution.engine",
        "training_facts": "penstock.execution.engine",
        "why": "_why",
    },
)
