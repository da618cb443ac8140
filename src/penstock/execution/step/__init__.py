"""The work of a step: arguments and inputs, execution, logs, limits of time, and the outcome."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution.step._conversion import convert_argument as convert_argument
    from penstock.execution.step._execute import bind_arguments as bind_arguments
    from penstock.execution.step._execute import execute_step as execute_step
    from penstock.execution.step._execute import split_outputs as split_outputs
    from penstock.execution.step._failures import failure_text as failure_text
    from penstock.execution.step._failures import failure_traceback as failure_traceback
    from penstock.execution.step._homes import enter_home as enter_home
    from penstock.execution.step._homes import use_home as use_home
    from penstock.execution.step._lineage import reuse_edges as reuse_edges
    from penstock.execution.step._outcome import Outcome as Outcome
    from penstock.execution.step._outcome import failed as failed
    from penstock.execution.step._outcome import lost as lost
    from penstock.execution.step._time_limit import can_limit_time as can_limit_time
    from penstock.execution.step._work import CHECKPOINTS as CHECKPOINTS
    from penstock.execution.step._work import Work as Work
    from penstock.execution.step._workplace import Workplace as Workplace

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CHECKPOINTS": "_work",
        "Outcome": "_outcome",
        "Work": "_work",
        "Workplace": "_workplace",
        "bind_arguments": "_execute",
        "can_limit_time": "_time_limit",
        "convert_argument": "_conversion",
        "enter_home": "_homes",
        "execute_step": "_execute",
        "failed": "_outcome",
        "failure_text": "_failures",
        "failure_traceback": "_failures",
        "lost": "_outcome",
        "reuse_edges": "_lineage",
        "split_outputs": "_execute",
        "use_home": "_homes",
    },
)
