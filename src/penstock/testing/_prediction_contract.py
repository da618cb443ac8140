"""Contract of predictions and ground truth."""

import pytest

from penstock.core import (
    NotFoundError,
)
from penstock.stores import MetadataStore
from penstock.testing._records import a_prediction, at


class PredictionContract:
    """Tests of predictions and ground truth; see MetadataStoreContract."""

    def test_predictions_come_back_in_order_of_time(self, metadata: MetadataStore) -> None:
        first = a_prediction("p1", at=at(2), unit="u", score=0.7, warnings=("new category",))
        looked_up = {"spend": {"key": {"card_id": 7}, "values": {"usual": 9.5}, "version": 3}}
        second = a_prediction(
            "p2", at=at(1), version=2, prediction=3.5, error="boom", features=looked_up
        )
        metadata.predictions.add([first, second, first])
        assert metadata.predictions.list("big-tips") == [second, first]
        assert metadata.predictions.get("p1") == first
        assert metadata.predictions.get_many(["p2", "p9", "p1"]) == {"p1": first, "p2": second}
        assert metadata.predictions.get_many([]) == {}
        with pytest.raises(NotFoundError, match="no prediction 'p9'"):
            metadata.predictions.get("p9")

    def test_predictions_are_chosen_by_version_time_truth_and_number(
        self, metadata: MetadataStore
    ) -> None:
        rows = [a_prediction(f"p{i}", at=at(i), version=1 + i % 2) for i in range(6)]
        metadata.predictions.add(rows)
        metadata.predictions.add_truth({"p3": True}, at(9))

        def ids(**choice: object) -> list[str]:
            records = metadata.predictions.list("big-tips", **choice)  # type: ignore[arg-type] # chosen below
            return [row.prediction_id for row in records]

        assert ids(version=2) == ["p1", "p3", "p5"]
        assert ids(since=at(2), until=at(4)) == ["p2", "p3"]
        assert ids(with_truth=True) == ["p3"]
        assert ids(limit=2) == ["p4", "p5"]
        assert metadata.predictions.list("other") == []

    def test_truth_comes_later_and_unknown_ids_are_named(self, metadata: MetadataStore) -> None:
        metadata.predictions.add([a_prediction("p1"), a_prediction("p2")])
        assert metadata.predictions.add_truth({"p1": "no", "p9": 1, "p2": None}, at(60)) == ["p9"]
        record = metadata.predictions.get("p1")
        assert (record.truth, record.truth_at) == ("no", at(60))
        assert metadata.predictions.get("p2").truth_at == at(60)

    def test_predictions_are_counted_by_version(self, metadata: MetadataStore) -> None:
        rows = [a_prediction(f"p{i}", at=at(i), version=1 + i // 2) for i in range(3)]
        metadata.predictions.add([*rows, a_prediction("bad", error="boom", version=2)])
        metadata.predictions.add_truth({"p0": 1}, at(9))
        assert metadata.predictions.count("big-tips") == {
            1: {"requests": 2, "rows": 2, "errors": 0, "truth": 1},
            2: {"requests": 2, "rows": 2, "errors": 1, "truth": 0},
        }
        assert metadata.predictions.count("big-tips", since=at(2)) == {
            2: {"requests": 1, "rows": 1, "errors": 0, "truth": 0}
        }

    def test_a_batch_is_counted_as_one_request(self, metadata: MetadataStore) -> None:
        batch = [a_prediction(f"p{i}", at=at(i), row_index=i) for i in range(3)]
        metadata.predictions.add([*batch, a_prediction("alone", at=at(5))])
        assert metadata.predictions.list("big-tips")[2].row_index == 2
        assert metadata.predictions.count("big-tips") == {
            1: {"requests": 2, "rows": 4, "errors": 0, "truth": 0}
        }
