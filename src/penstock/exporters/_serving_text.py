"""Text that the Python files of serving platforms share: heads, names of modules, arguments."""

import keyword
import re
from collections.abc import Sequence

from penstock.exporters._model_plan import ModelPlan
from penstock.exporters._text import note_lines, plain_text, wrap_text


def module_name(name: str, platform: str) -> str:
    """Return the name of the module that a file is imported by.

    >>> print(module_name("7-Tips.eu", "bentoml"), module_name("fraud", "ray_serve"))
    model_7_tips_eu_bentoml fraud_ray_serve
    """
    found = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not found or found[0].isdigit() or keyword.iskeyword(found):
        found = f"model_{found}".rstrip("_")
    return f"{found}_{platform}"


def callers_argument(plan: ModelPlan) -> str:
    """Return the argument of the model server about its callers."""
    return "anonymous=True" if plan.anonymous else "require_users=True"


def serving_head(
    plan: ModelPlan, *, to: str, engine: str, start: str, where: str, notes: Sequence[str]
) -> list[str]:
    """Return the lines of a file's head: origin, start, store, and what is not carried over."""
    about = (
        f"{plan.name}: exported by `penstock export {plan.name} --to {to}`. {engine} runs penstock's"
        " model server, with the routes, tokens, prediction log and predictions of `penstock serve`."
        f" Start it with: {start}. The store is that of PENSTOCK_STORE, PENSTOCK_ARTIFACTS and"
        f" PENSTOCK_TOKEN in the environment {where}; they are secrets and not in this file. A"
        " promotion or a rollout needs no new export."
    )
    return [*map(plain_text, wrap_text(about)), *note_lines(notes)]
