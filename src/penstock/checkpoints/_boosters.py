"""Boosters in chunks of rounds: each chunk continues the stored model, whether killed or not.

An uninterrupted training goes through the same stored models as a killed training, so both end
with the same trees. Sampling is seeded for each chunk.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from penstock.core import ParameterError, require, require_number
from penstock.tracking import checkpoint, current_step

_SEED_MASK = 0x7FFFFFFF
_REFUSED = {
    "early_stopping_rounds": "its counters are not part of a stored model",
    "callbacks": "what they remember is not part of a stored model",
    "evals_result": "it would hold the last chunk only",
    "xgb_model": "the checkpoint decides which model is continued",
    "init_model": "the checkpoint decides which model is continued",
}


def train_xgboost(
    params: Mapping[str, Any],
    data: Any,  # Any: xgboost's DMatrix
    *,
    rounds: int,
    every: int = 50,
    name: str = "xgboost",
    **options: Any,  # Any: options of xgboost.train
) -> Any:  # Any: xgboost's Booster
    """Train as ``xgboost.train``, with a checkpoint after each number of rounds.

    Args:
        params: Parameters of the booster; ``dart`` is refused.
        data: The training rows, a DMatrix.
        rounds: Number of boosting rounds.
        every: Rounds between two checkpoints; with sampling a part of the result.
        name: Distinguishes several checkpoints of a step.
        **options: Further options of ``xgboost.train``.

    Raises:
        ParameterError: If an option rules out an exact resume.
    """
    xgboost = require("xgboost", extra="boosters", purpose="train_xgboost")
    _require_exact(options, params.get("booster", "gbtree"))

    def train(first: int, count: int, model: bytes | None) -> bytes:
        seeded = {**params, "seed": _chunk_seed(params.get("seed"), first)}
        start = None if model is None else xgboost.Booster(seeded, model_file=bytearray(model))
        booster = xgboost.train(seeded, data, count, xgb_model=start, **options)
        return bytes(booster.save_raw("ubj"))

    model = _in_chunks(train, rounds, every, name)
    return xgboost.Booster(dict(params), model_file=bytearray(model))


def train_lightgbm(
    params: Mapping[str, Any],
    data: Any,  # Any: lightgbm's Dataset
    *,
    rounds: int,
    every: int = 50,
    name: str = "lightgbm",
    **options: Any,  # Any: options of lightgbm.train
) -> Any:  # Any: lightgbm's Booster
    """Train as ``lightgbm.train``, with a checkpoint after each number of rounds.

    Args:
        params: Parameters of the booster; ``dart`` is refused.
        data: The training rows, a Dataset with ``free_raw_data=False``.
        rounds: Number of boosting rounds.
        every: Rounds between two checkpoints; a part of the result.
        name: Distinguishes several checkpoints of a step.
        **options: Further options of ``lightgbm.train``.

    Raises:
        ParameterError: If an option rules out an exact resume.
    """
    lightgbm = require("lightgbm", extra="boosters", purpose="train_lightgbm")
    kind = params.get("boosting", params.get("boosting_type", "gbdt"))
    _require_exact(options, kind)
    if getattr(data, "free_raw_data", False):
        raise ParameterError(
            what="The Dataset frees its rows after the first use.",
            why="Each chunk continues from what the trees so far predict for the rows.",
            fix="Create it with lightgbm.Dataset(…, free_raw_data=False).",
        )

    def train(first: int, count: int, model: bytes | None) -> bytes:
        seeded = {**params, "seed": _chunk_seed(params.get("seed"), first), "deterministic": True}
        start = None if model is None else lightgbm.Booster(model_str=model.decode())
        booster = lightgbm.train(seeded, data, count, init_model=start, **options)
        return bytes(booster.model_to_string(num_iteration=-1).encode())

    return lightgbm.Booster(model_str=_in_chunks(train, rounds, every, name).decode())


def _in_chunks(train: Any, rounds: int, every: int, name: str) -> bytes:
    """Train chunk by chunk from the last checkpoint on; returns the stored model."""
    require_number("rounds", rounds, low=1, whole=True)
    require_number("every", every, low=1, whole=True)
    saved = checkpoint(name)
    state = saved.load() or {"rounds": 0, "model": None}
    while state["rounds"] < rounds:
        done = state["rounds"]
        count = min(every, rounds - done)
        state = {"rounds": done + count, "model": train(done, count, state["model"])}
        saved.save(state)
    model: bytes = state["model"]
    return model


def _chunk_seed(seed: int | None, first: int) -> int:
    step = current_step()
    own = seed if seed is not None else (step.seed if step is not None else 0)
    digest = hashlib.sha256(f"{own}:{first}".encode()).digest()
    return int.from_bytes(digest[:4], "little") & _SEED_MASK


def _require_exact(options: Mapping[str, Any], booster: str) -> None:
    for name, reason in _REFUSED.items():
        if options.get(name) is not None:
            raise ParameterError(
                what=f"{name} cannot be resumed exactly: {reason}.",
                fix="Leave it out, or train without a checkpoint.",
                name=name,
            )
    if booster == "dart":
        raise ParameterError(
            what="A dart booster cannot be resumed exactly.",
            why="Which trees were dropped, and their weights while training, are not stored.",
            fix="Use gbtree or gbdt, or train without a checkpoint.",
        )
