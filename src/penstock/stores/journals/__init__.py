"""Metric points between the call that logs them and the store: in files that survive the process."""

from penstock.stores.journals._journal import Journal
from penstock.stores.journals._records import pack_columns, pack_points
from penstock.stores.journals._recovery import recover_journals

__all__ = ["Journal", "pack_columns", "pack_points", "recover_journals"]
