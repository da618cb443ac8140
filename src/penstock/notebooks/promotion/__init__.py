"""Promotion: a notebook's cells -> a plan of steps -> a pipeline with tests, proved equal by running both."""

from penstock.notebooks.promotion._compare import (
    PromotionDifference,
    compare_with_golden,
    compare_with_notebook,
)
from penstock.notebooks.promotion._plan import Plan, PlannedStep
from penstock.notebooks.promotion._promote import PromotedNotebook, promote_notebook

__all__ = [
    "Plan",
    "PlannedStep",
    "PromotedNotebook",
    "PromotionDifference",
    "compare_with_golden",
    "compare_with_notebook",
    "promote_notebook",
]
