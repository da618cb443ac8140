"""Runs: starting, logging, searching, comparing, and walking the lineage of their artifacts."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.tracking._active import active_run as active_run
    from penstock.tracking._active import use_run as use_run
    from penstock.tracking._checkpoint import Checkpoint as Checkpoint
    from penstock.tracking._checkpoint import checkpoint as checkpoint
    from penstock.tracking._compare import RunComparison as RunComparison
    from penstock.tracking._compare import compare_runs as compare_runs
    from penstock.tracking._download import file_name as file_name
    from penstock.tracking._download import logged_text as logged_text
    from penstock.tracking._evaluation_sets import EVALUATION_RECORD as EVALUATION_RECORD
    from penstock.tracking._evaluation_sets import EVALUATION_SET as EVALUATION_SET
    from penstock.tracking._evaluation_sets import EvaluationRecord as EvaluationRecord
    from penstock.tracking._evaluation_sets import EvaluationSet as EvaluationSet
    from penstock.tracking._evaluation_sets import get_evaluation_set as get_evaluation_set
    from penstock.tracking._evaluation_sets import list_evaluation_sets as list_evaluation_sets
    from penstock.tracking._follower import FollowerRun as FollowerRun
    from penstock.tracking._heartbeat import ClaimKeeper as ClaimKeeper
    from penstock.tracking._heartbeat import Heartbeat as Heartbeat
    from penstock.tracking._heartbeat import RunsHeartbeat as RunsHeartbeat
    from penstock.tracking._listening import RunStopped as RunStopped
    from penstock.tracking._listening import listen_to_metrics as listen_to_metrics
    from penstock.tracking._log import log_artifact as log_artifact
    from penstock.tracking._log import log_audio as log_audio
    from penstock.tracking._log import log_dict as log_dict
    from penstock.tracking._log import log_figure as log_figure
    from penstock.tracking._log import log_histogram as log_histogram
    from penstock.tracking._log import log_image as log_image
    from penstock.tracking._log import log_metric as log_metric
    from penstock.tracking._log import log_metrics as log_metrics
    from penstock.tracking._log import log_model as log_model
    from penstock.tracking._log import log_param as log_param
    from penstock.tracking._log import log_params as log_params
    from penstock.tracking._log import log_table as log_table
    from penstock.tracking._log import log_text as log_text
    from penstock.tracking._log import set_tag as set_tag
    from penstock.tracking._log import set_tags as set_tags
    from penstock.tracking._provenance import write_source_files as write_source_files
    from penstock.tracking._run import Run as Run
    from penstock.tracking._search import explain_no_match as explain_no_match
    from penstock.tracking._search import get_run as get_run
    from penstock.tracking._search import runs_to_frame as runs_to_frame
    from penstock.tracking._search import search_experiments as search_experiments
    from penstock.tracking._search import search_runs as search_runs
    from penstock.tracking._series import step_of as step_of
    from penstock.tracking._span_conventions import SpanFacts as SpanFacts
    from penstock.tracking._span_conventions import read_span_facts as read_span_facts
    from penstock.tracking._start import ActiveRun as ActiveRun
    from penstock.tracking._start import end_run as end_run
    from penstock.tracking._start import start_run as start_run
    from penstock.tracking._step import StepContext as StepContext
    from penstock.tracking._step import current_step as current_step
    from penstock.tracking._step import use_step as use_step
    from penstock.tracking._system import SYSTEM as SYSTEM
    from penstock.tracking._traces import ASSESSMENT as ASSESSMENT
    from penstock.tracking._traces import SPAN as SPAN
    from penstock.tracking._traces import TRACE as TRACE
    from penstock.tracking._traces import Assessment as Assessment
    from penstock.tracking._traces import RequestTrace as RequestTrace
    from penstock.tracking._traces import TraceSpan as TraceSpan
    from penstock.tracking._traces import get_trace as get_trace
    from penstock.tracking._traces import list_traces as list_traces
    from penstock.tracking.recorders._switch import autolog as autolog

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "SYSTEM": "_system",
        "ActiveRun": "_start",
        "FollowerRun": "_follower",
        "ClaimKeeper": "_heartbeat",
        "Heartbeat": "_heartbeat",
        "Run": "_run",
        "RunComparison": "_compare",
        "RunStopped": "_listening",
        "RunsHeartbeat": "_heartbeat",
        "listen_to_metrics": "_listening",
        "StepContext": "_step",
        "autolog": "penstock.tracking.recorders._switch",
        "Checkpoint": "_checkpoint",
        "checkpoint": "_checkpoint",
        "compare_runs": "_compare",
        "active_run": "_active",
        "current_step": "_step",
        "file_name": "_download",
        "logged_text": "_download",
        "explain_no_match": "_search",
        "get_run": "_search",
        "log_artifact": "_log",
        "log_audio": "_log",
        "log_dict": "_log",
        "log_figure": "_log",
        "log_histogram": "_log",
        "log_image": "_log",
        "log_table": "_log",
        "log_text": "_log",
        "log_metric": "_log",
        "log_metrics": "_log",
        "log_param": "_log",
        "log_model": "_log",
        "log_params": "_log",
        "runs_to_frame": "_search",
        "search_experiments": "_search",
        "search_runs": "_search",
        "set_tag": "_log",
        "set_tags": "_log",
        "end_run": "_start",
        "start_run": "_start",
        "step_of": "_series",
        "write_source_files": "_provenance",
        "use_run": "_active",
        "use_step": "_step",
        "ASSESSMENT": "_traces",
        "Assessment": "_traces",
        "EVALUATION_RECORD": "_evaluation_sets",
        "EVALUATION_SET": "_evaluation_sets",
        "EvaluationRecord": "_evaluation_sets",
        "EvaluationSet": "_evaluation_sets",
        "get_evaluation_set": "_evaluation_sets",
        "list_evaluation_sets": "_evaluation_sets",
        "SPAN": "_traces",
        "TRACE": "_traces",
        "RequestTrace": "_traces",
        "TraceSpan": "_traces",
        "SpanFacts": "_span_conventions",
        "read_span_facts": "_span_conventions",
        "get_trace": "_traces",
        "list_traces": "_traces",
    },
)
