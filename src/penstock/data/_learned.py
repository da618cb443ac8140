"""LearnedExpectations: new rows must be like accepted versions of the data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from penstock.core import NotFoundError, ParameterError, require_choice, require_number
from penstock.data._dataset import DatasetVersion, load_snapshot
from penstock.data._expectations import RULE, Expectations, OnFailure
from penstock.data._finding import Finding
from penstock.data._norm import Norm, Version, count_copies
from penstock.data._pandera import PanderaExpectations, is_pandera
from penstock.data._snapshot import Snapshot
from penstock.stores import Store

COPIES = "copies"
"""Fact of a reading: number of rows that are exact copies of another."""


@dataclass(frozen=True, slots=True)
class LearnedExpectations:
    """Rows must be like the accepted versions of their data set: those that were ingested before.

    Compared are the rows a day, the time of the newest row, copies of rows, and of each column the
    share of missing values, the distribution, new values, and whether two columns look
    swapped, by their own values or by how each goes together with the other columns. New rows are compared with the most similar version, so that seasons and slow trends
    are no faults; the usual distance between versions is learned from the versions.

    Args:
        min_versions: Accepted versions that are needed; with fewer nothing is checked.
        max_versions: Number of newest versions that are compared.
        on_failure: ``stop`` fails the step where the rows are far from normal; ``warn`` never does.
    """

    min_versions: int = 3
    max_versions: int = 24
    on_failure: OnFailure = "stop"

    def __post_init__(self) -> None:
        require_number("min_versions", self.min_versions, low=1, high=1_000, whole=True)
        low = self.min_versions
        require_number("max_versions", self.max_versions, low=low, high=1_000, whole=True)
        require_choice("on_failure", self.on_failure, ("stop", "warn"))

    def check(
        self, snapshot: Snapshot, versions: Sequence[DatasetVersion], *, store: Store
    ) -> list[Finding]:
        """Return a finding for everything that is not normal about new rows.

        Args:
            snapshot: The new rows.
            versions: Accepted versions, oldest first.
            store: The store of their rows.
        """
        known = _load(versions[-self.max_versions :], store)
        if len(known) < self.min_versions:
            text = (
                f"Learned expectations need {self.min_versions} accepted versions; there are "
                f"{len(known)}, so nothing was compared."
            )
            return [Finding("info", RULE, "", text)]
        deviations = Norm(known).check(snapshot, count_copies(snapshot.batches()))
        stops = self.on_failure == "stop"
        return [
            Finding(level if stops or level != "fail" else "warn", RULE, column, message)
            for level, column, message in deviations
        ]


Expected: TypeAlias = "Expectations | LearnedExpectations | PanderaExpectations"


def as_expectations(value: object) -> list[Expected]:
    """Return the meaning of ``expect=`` of ingest: a single value or several, ``"learned"`` for the default.

    Raises:
        ParameterError: If the value has no meaning.
    """
    if value is None:
        return []
    expectations: list[Expected] = []
    for each in value if isinstance(value, list | tuple) else [value]:
        if isinstance(each, Expectations | LearnedExpectations | PanderaExpectations):
            expectations.append(each)
        elif is_pandera(each):
            expectations.append(PanderaExpectations(each))
        elif each == "learned":
            expectations.append(LearnedExpectations())
        else:
            raise ParameterError(
                what=f"expect is {each!r:.80}.",
                fix='Give ps.Expectations(…), "learned", a schema of pandera, or a list of them.',
            )
    return expectations


def _load(versions: Sequence[DatasetVersion], store: Store) -> list[Version]:
    known = []
    for version in versions:
        try:
            snapshot = load_snapshot(version, store=store)
        except NotFoundError:
            continue  # its rows were deleted
        copies = version.read.get(COPIES)
        known.append(Version(snapshot, copies if isinstance(copies, int) else None))
    return known
