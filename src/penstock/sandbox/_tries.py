"""try_apart: call a function on untrusted data in a separate process, and report the outcome."""

import atexit
import json
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from penstock.sandbox._process import HelperProcess, ProcessEndedError, describe_exit
from penstock.sandbox._request import TrialRequest

_MODULE = "penstock.sandbox._trials"
_START_S = 120.0
_FACTOR = 12.0
_lock = threading.Lock()
_servers: list[HelperProcess] = []


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a trial ended.

    Args:
        outcome: ``done``, ``refused`` or ``raised`` by the function, ``memory`` or ``slow`` at a
            limit, ``ended`` if the process died.
        result: Result of the function, as JSON.
        error: Parts of a refusal: what, why and fix.
        reason: The end of a process, or the error raised, in words.
        cpu_s: Processor time, seconds.
        peak_bytes: Most memory that the process had.
    """

    outcome: Literal["done", "refused", "raised", "memory", "slow", "ended"]
    result: Any = None
    error: Mapping[str, str] | None = None
    reason: str = ""
    cpu_s: float = 0.0
    peak_bytes: int = 0


def try_apart(request: TrialRequest, data: bytes) -> TrialResult:
    """Call a function of ours on data in a process with limits, isolated where the system can.

    Args:
        request: The function and the limits.
        data: The bytes.

    Raises:
        ProcessEndedError: If no process can be started.
        ProcessTimeoutError: If the machine is too busy.
    """
    head = pickle.dumps(request)
    timeout_s = _START_S + _FACTOR * request.cpu_s
    with _lock:
        try:
            reply = _server().call(head, data, timeout_s=timeout_s, most=1 << 20)
        except ProcessEndedError:  # it was idle for long, and left as it was asked
            reply = _server().call(head, data, timeout_s=timeout_s, most=1 << 20)
    facts = json.loads(reply)
    code = facts.pop("code", None)
    text = facts.pop("text", "" if code is None else describe_exit(code))
    return TrialResult(reason=text, **facts)


def _server() -> HelperProcess:
    if not (_servers and _servers[0].is_usable):
        if not _servers:
            atexit.register(_end)
        _servers[:] = [HelperProcess(_MODULE)]
    return _servers[0]


def _end() -> None:
    for each in _servers:
        each.close()
