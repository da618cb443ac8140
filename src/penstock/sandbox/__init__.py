"""Processes for untrusted data: trials with limits, and isolation from network and files."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.sandbox._isolation import IsolationError as IsolationError
    from penstock.sandbox._isolation import isolate as isolate
    from penstock.sandbox._isolation import why_no_isolation as why_no_isolation
    from penstock.sandbox._process import HelperProcess as HelperProcess
    from penstock.sandbox._process import ProcessEndedError as ProcessEndedError
    from penstock.sandbox._process import ProcessTimeoutError as ProcessTimeoutError
    from penstock.sandbox._process import has_processes as has_processes
    from penstock.sandbox._request import TrialRequest as TrialRequest
    from penstock.sandbox._tries import TrialResult as TrialResult
    from penstock.sandbox._tries import try_apart as try_apart

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "HelperProcess": "_process",
        "IsolationError": "_isolation",
        "ProcessEndedError": "_process",
        "ProcessTimeoutError": "_process",
        "TrialRequest": "_request",
        "TrialResult": "_tries",
        "has_processes": "_process",
        "isolate": "_isolation",
        "try_apart": "_tries",
        "why_no_isolation": "_isolation",
    },
)
