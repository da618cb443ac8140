"""Contract of every MetadataStore for metric points."""

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike

from penstock.core import MetricColumns, MetricPoint, MetricSummary, NotFoundError, ParameterError
from penstock.stores import MetadataStore
from penstock.testing._records import START, a_run, at


class MetricContract:
    """Tests about metric points; see MetadataStoreContract."""

    def test_points_come_in_order_of_step_then_time(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        columns = _columns(run_id, steps=[2, 0, 1, 0.5, 0], times=[5, 9, 1, 1, 8])
        metadata.metrics.append([columns])
        history = metadata.metrics.history(run_id, "loss")
        assert history.steps.tolist() == [0, 0, 0.5, 1, 2]
        assert history.times.tolist() == [8, 9, 1, 1, 5]
        assert history.values.tolist() == [4, 1, 3, 2, 0]

    def test_of_two_points_at_the_last_step_the_later_is_the_last(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        metadata.metrics.append([_columns(run_id, steps=[1, 3, 3, 2], times=[1, 9, 8, 20])])
        assert metadata.runs.get(run_id).metrics["loss"] == MetricSummary(0, 1, 0, 3, 4, 3)
        metadata.metrics.append([_columns(run_id, steps=[3], times=[7], values=[50])])
        assert metadata.runs.get(run_id).metrics["loss"].last == 1
        metadata.metrics.append([_columns(run_id, steps=[3], times=[9], values=[60])])
        assert metadata.runs.get(run_id).metrics["loss"] == MetricSummary(0, 60, 0, 60, 6, 3)

    def test_a_part_of_a_journal_is_written_once(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        assert metadata.metrics.journal_position("j") == -1
        for _ in range(2):
            metadata.metrics.append([_columns(run_id, steps=[0, 1])], journal="j", position=64)
        assert metadata.metrics.journal_position("j") == 64
        metadata.metrics.append([_columns(run_id, steps=[2])], journal="j", position=96)
        assert metadata.metrics.history(run_id, "loss").steps.tolist() == [0, 1, 2]
        metadata.metrics.forget_journal("j")
        assert metadata.metrics.journal_position("j") == -1

    def test_points_of_a_run_that_does_not_exist_are_left_out(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        metadata.metrics.append([_columns("nobody", steps=[0]), _columns(run_id, steps=[0])])
        assert len(metadata.metrics.history(run_id, "loss")) == 1

    def test_many_small_parts_are_merged_and_stay_the_same(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        values = np.random.default_rng(0).normal(size=300).tolist()
        for step, value in enumerate(values):
            metadata.metrics.append([_columns(run_id, steps=[step], values=[value])])
        assert metadata.metrics.history(run_id, "loss").values.tolist() == values
        metadata.metrics.merge(run_id)
        metadata.metrics.merge(run_id)
        assert metadata.metrics.history(run_id, "loss").values.tolist() == values
        assert metadata.runs.get(run_id).metrics["loss"].count == 300

    def test_few_small_parts_stay_and_are_read_in_order(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        for start in (60, 0, 30):
            metadata.metrics.append([_columns(run_id, steps=np.arange(start, start + 30))])
            metadata.metrics.merge(run_id)
        history = metadata.metrics.history(run_id, "loss")
        assert history.steps.tolist() == list(range(90))
        assert history.values.tolist() == [*range(30)] * 3

    def test_a_long_history_is_thinned_to_its_extremes(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        values = np.zeros(60_000)
        values[31_000], values[47_001] = 5.0, -5.0
        metadata.metrics.append([_columns(run_id, steps=np.arange(60_000), values=values)])
        for most in (100, 1000):  # from the outlines, and from the points
            thin = metadata.metrics.history(run_id, "loss", most=most)
            assert len(thin) <= most
            assert (np.diff(thin.steps) > 0).all()
            assert (thin.values.max(), thin.values.min()) == (5.0, -5.0)
        assert len(metadata.metrics.history(run_id, "loss")) == 60_000

    def test_nothing_is_thinned_to_no_points(self, metadata: MetadataStore, run_id: str) -> None:
        for most in (0, -1):
            with pytest.raises(ParameterError, match="most"):
                metadata.metrics.history(run_id, "loss", most=most)

    def test_far_steps_and_times_stay_in_order(self, metadata: MetadataStore, run_id: str) -> None:
        steps, times = [1.7e308, -1.7e308, 0, 0], [1, 2, 2**63 - 1, -(2**63)]
        metadata.metrics.append([_columns(run_id, steps=steps, times=times)])
        history = metadata.metrics.history(run_id, "loss")
        assert history.steps.tolist() == sorted(steps)
        assert history.times.tolist() == [2, -(2**63), 2**63 - 1, 1]

    def test_a_run_is_not_copied_onto_itself(self, metadata: MetadataStore, run_id: str) -> None:
        metadata.metrics.append([_columns(run_id, steps=[0, 1])])
        with pytest.raises(ParameterError, match="twice"):
            metadata.metrics.copy(run_id, run_id)
        assert len(metadata.metrics.history(run_id, "loss")) == 2

    def test_the_history_of_an_unknown_metric_is_empty(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        assert len(metadata.metrics.history(run_id, "nothing")) == 0
        with pytest.raises(NotFoundError):
            metadata.metrics.history("nobody", "loss")

    def test_points_are_copied_up_to_a_step_and_between_times(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        other = a_run()
        metadata.runs.create(other)
        metadata.metrics.append([_columns(run_id, steps=[0, 1, 2, 3], times=[10, 20, 30, 40])])
        metadata.metrics.log(run_id, [MetricPoint("auc", math.nan, 0, START)])
        copied = metadata.metrics.copy(
            run_id, other.run_id, keys=["loss"], until_step=2, between=(15, 100)
        )
        assert copied == 2
        assert metadata.metrics.history(other.run_id, "loss").steps.tolist() == [1, 2]
        assert list(metadata.runs.get(other.run_id).metrics) == ["loss"]
        assert metadata.metrics.copy(run_id, other.run_id, keys=["auc"]) == 1

    def test_times_are_kept_to_the_microsecond(self, metadata: MetadataStore, run_id: str) -> None:
        metadata.metrics.log(run_id, [MetricPoint("loss", 1.0, 0, at(1.000001))])
        [micros] = metadata.metrics.history(run_id, "loss").times.tolist()
        assert micros == round(at(1.000001).timestamp() * 1e6)


def _columns(
    run_id: str,
    *,
    steps: ArrayLike,
    values: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> MetricColumns:
    x = np.asarray(steps, np.float64)
    y = np.arange(len(x), dtype=np.float64) if values is None else np.asarray(values, np.float64)
    t = np.zeros(len(x), np.int64) if times is None else np.asarray(times, np.int64)
    return MetricColumns(run_id, "loss", x, y, t)
