"""Where steps are executed: in this process, in processes of this machine, on Ray."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.execution.runners._choice import find_runner as find_runner
    from penstock.execution.runners._local import LocalRunner as LocalRunner
    from penstock.execution.runners._processes import ProcessRunner as ProcessRunner
    from penstock.execution.runners._watch import Watch as Watch

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "LocalRunner": "_local",
        "ProcessRunner": "_processes",
        "Watch": "_watch",
        "find_runner": "_choice",
    },
)
