"""The engine of a run: the steps to execute, their order, and the records."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution.engine._items import item_names as item_names
    from penstock.execution.engine._loading import load_function as load_function
    from penstock.execution.engine._loading import load_pipeline as load_pipeline
    from penstock.execution.engine._loading import module_of as module_of
    from penstock.execution.engine._loading import stop_while_loading as stop_while_loading
    from penstock.execution.engine._manifest import read_manifest as read_manifest
    from penstock.execution.engine._manifest import read_source as read_source
    from penstock.execution.engine._manifest import record_provenance as record_provenance
    from penstock.execution.engine._new_run import new_session as new_session
    from penstock.execution.engine._options import RECORDED as RECORDED
    from penstock.execution.engine._options import OnFailure as OnFailure
    from penstock.execution.engine._options import RunnerName as RunnerName
    from penstock.execution.engine._options import RunOptions as RunOptions
    from penstock.execution.engine._partitions import PARTITION as PARTITION
    from penstock.execution.engine._partitions import PartitionState as PartitionState
    from penstock.execution.engine._partitions import known_partitions as known_partitions
    from penstock.execution.engine._partitions import list_partitions as list_partitions
    from penstock.execution.engine._partitions import require_partitions as require_partitions
    from penstock.execution.engine._partitions import runs_by_partition as runs_by_partition
    from penstock.execution.engine._partitions import states_of as states_of
    from penstock.execution.engine._perform import perform as perform
    from penstock.execution.engine._perform import process_facts as process_facts
    from penstock.execution.engine._project import project_of as project_of
    from penstock.execution.engine._reporter import Reporter as Reporter
    from penstock.execution.engine._result import PipelineResult as PipelineResult
    from penstock.execution.engine._result import step_to_json as step_to_json
    from penstock.execution.engine._resume import entry_of_run as entry_of_run
    from penstock.execution.engine._resume import resumed_session as resumed_session
    from penstock.execution.engine._scheduler import StepScheduler as StepScheduler
    from penstock.execution.engine._session import Runner as Runner
    from penstock.execution.engine._session import Session as Session
    from penstock.execution.engine._states import GOOD_STATES as GOOD_STATES
    from penstock.execution.engine._states import KEPT as KEPT
    from penstock.execution.engine._states import NOT_REUSED as NOT_REUSED
    from penstock.execution.engine._states import is_settled as is_settled
    from penstock.execution.engine._tracing import retrace as retrace
    from penstock.execution.engine._training_facts import training_facts as training_facts
    from penstock.execution.engine._values import Values as Values
    from penstock.execution.engine._values import load_inputs as load_inputs
    from penstock.execution.engine._workers import Workers as Workers

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "GOOD_STATES": "_states",
        "KEPT": "_states",
        "NOT_REUSED": "_states",
        "OnFailure": "_options",
        "PARTITION": "_partitions",
        "PartitionState": "_partitions",
        "PipelineResult": "_result",
        "RECORDED": "_options",
        "Reporter": "_reporter",
        "RunOptions": "_options",
        "Runner": "_session",
        "RunnerName": "_options",
        "StepScheduler": "_scheduler",
        "Session": "_session",
        "Values": "_values",
        "Workers": "_workers",
        "entry_of_run": "_resume",
        "is_settled": "_states",
        "item_names": "_items",
        "known_partitions": "_partitions",
        "list_partitions": "_partitions",
        "load_inputs": "_values",
        "load_function": "_loading",
        "load_pipeline": "_loading",
        "module_of": "_loading",
        "new_session": "_new_run",
        "perform": "_perform",
        "process_facts": "_perform",
        "project_of": "_project",
        "read_manifest": "_manifest",
        "read_source": "_manifest",
        "record_provenance": "_manifest",
        "require_partitions": "_partitions",
        "resumed_session": "_resume",
        "retrace": "_tracing",
        "runs_by_partition": "_partitions",
        "states_of": "_partitions",
        "step_to_json": "_result",
        "training_facts": "_training_facts",
        "stop_while_loading": "_loading",
    },
)
