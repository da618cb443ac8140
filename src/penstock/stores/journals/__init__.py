"""Metric points between the logging call and the store: in files that survive the process."""

from penstock.stores.journals._facts import Fact, artifacts_fact, end_fact
from penstock.stores.journals._folder import damaged_journals
from penstock.stores.journals._journal import Journal, Line
from penstock.stores.journals._records import pack_columns, pack_points
from penstock.stores.journals._recovery import recover_journals

__all__ = [
    "Fact",
    "Journal",
    "Line",
    "artifacts_fact",
    "damaged_journals",
    "end_fact",
    "pack_columns",
    "pack_points",
    "recover_journals",
]
