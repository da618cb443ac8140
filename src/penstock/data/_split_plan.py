"""The plan of a split: what the subsets are for, and how large they are."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from penstock.data._moments import TimeColumn, time_columns
from penstock.data._target import Task


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The purpose of the subsets, however they were chosen; see `split_table`."""

    target: str
    by_time: TimeColumn | None
    by_group: str | None
    drop: tuple[str, ...]
    seed: int
    task: Task | None
    positive: Any

    @property
    def columns(self) -> list[str]:
        """Names of all columns that the plan mentions."""
        group = [self.by_group] if self.by_group else []
        return [self.target, *time_columns(self.by_time), *group, *self.drop]


@dataclass(frozen=True, slots=True)
class Shares:
    """How rows are divided; see `split_table`."""

    validation: float
    test: float
    gap: timedelta
    stratify: str | None
