"""How a step trained: workers, shards, and torch's switches with their price; read from the step's facts."""

from typing import Any

from penstock.core import StepRunRecord

_SHARDS = "logical shards: equal results for every number of workers"
_PLAIN = "own order of each number of workers: results depend on it"
_KEPT = (
    "slower kernels where torch has no deterministic one that is as fast; not measured for this"
    " step (benchmarks/deterministic_cuda.py measures it)"
)
_LEFT = "none; a second execution may return other bits, and a cached result stands for one of them"


def training_facts(record: StepRunRecord) -> dict[str, Any]:
    """Return how a step trained; empty for a step without workers and without torch.

    Returns:
        ``workers``, ``shards``, ``mode``, ``threads``, ``processor`` as far as they are known;
        ``deterministic`` and ``switches`` (torch's, after the step), ``switched`` (those that
        something changed), and the ``price`` of the switches as a sentence.
    """
    trained = dict(record.facts.get("distributed") or {})
    parts = record.facts.get("key_parts") or {}
    declared = parts.get("workers") or {}
    shards = trained.get("shards") or (parts.get("shards") or {}).get("count")
    workers = trained.get("workers") or declared.get("count")
    facts_by_step: dict[str, Any] = {}
    if workers or shards:
        facts_by_step = {
            "workers": workers,
            "shards": shards,
            "mode": _SHARDS if shards else _PLAIN,
            "threads": trained.get("threads") or declared.get("threads"),
            "processor": trained.get("processor"),
        }
    switches = record.facts.get("switches")
    if switches is not None:
        deterministic = parts.get("deterministic", True) is not False
        facts_by_step |= {
            "deterministic": deterministic,
            "switches": dict(switches),
            "switched": list(record.facts.get("switched", ())),
            "price": _KEPT if deterministic else _LEFT,
        }
    return {name: value for name, value in facts_by_step.items() if value not in (None, [])}
