"""Values of the code that differ from those recorded, as a cause of a different output.

A module-level value can come from the environment, from a file, or from the script that started the
run: the recorded source is the same, and yet other code was executed.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import short
from penstock.proofs._judging import Job
from penstock.proofs._records import StepVerdict
from penstock.provenance import code_digest

_SHOWN = 5


def with_changed_code(
    verdict: StepVerdict, job: Job, digest_value: Callable[[Any], str]
) -> StepVerdict:
    """Add to the verdict of a step that differs which values of the code are not as recorded.

    Call from a process that executed no step: a step may change the values that its code reads.

    Args:
        verdict: The step's verdict.
        job: The step and the record.
        digest_value: Digests tables, arrays and models that code reads.
    """
    if verdict.how != "executed" or job.record is None:
        return verdict
    recorded = job.record.facts.get("key_parts", {}).get("code_parts", {})
    try:
        here = code_digest(job.node.step.function, Path.cwd(), digest_value).parts
    except Exception:  # noqa: BLE001 - without a cause the verdict is as true
        return verdict
    changed = [
        f"{name} was {short(recorded[name])} and is {short(here[name])}"
        for name in sorted(recorded.keys() & here.keys())
        if short(recorded[name]) != short(here[name])
    ]
    if not changed:
        return verdict
    more = f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    cause = f"values of the code differ: {', '.join(changed[:_SHOWN])}{more}"
    return replace(
        verdict,
        reason="The same inputs, parameters and seed returned a different output: values that the"
        " code reads, and that are made when it is imported, are not as recorded. Pass them to the"
        " step as arguments, so that they are recorded.",
        cause=f"{cause}; {verdict.cause}" if verdict.cause else cause,
    )
