"""F13: five rates by two sensitive columns over a million rows, beside fairlearn's MetricFrame."""

import numpy as np
import pandas as pd
import polars as pl
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from figures import median_s, tell
from sklearn.metrics import accuracy_score, precision_score

from penstock.evaluation import count_groups

ROWS = 1_000_000
PEER_ROWS = 100_000  # the peer takes about 20 s for the whole million


def main() -> None:
    generator = np.random.default_rng(5)
    truth, prediction = generator.integers(0, 2, ROWS), generator.integers(0, 2, ROWS)
    sensitive = pl.DataFrame(
        {
            "sex": np.array(["a", "b"])[generator.integers(0, 2, ROWS)],
            "age": np.array(["u30", "30s", "40s", "50s", "o60"])[generator.integers(0, 5, ROWS)],
        }
    )

    def ours() -> object:
        groups = count_groups(truth, prediction, sensitive)
        return [
            (group.accuracy, group.precision, group.true_positive_rate,
             group.false_positive_rate, group.selection_rate)
            for counted in groups.values()
            for group in counted
        ]  # fmt: skip

    tell("F13", "5 rates x 2 columns, 1,000,000 rows", median_s(ours), "s", 0.05)
    few = pd.DataFrame({name: sensitive[name][:PEER_ROWS].to_list() for name in sensitive.columns})
    metrics = {
        "accuracy": accuracy_score,
        "precision": precision_score,
        "recall": true_positive_rate,
        "false positives": false_positive_rate,
        "selection": selection_rate,
    }

    def theirs() -> object:
        return MetricFrame(
            metrics=metrics,
            y_true=truth[:PEER_ROWS],
            y_pred=prediction[:PEER_ROWS],
            sensitive_features=few,
        ).by_group

    tell("F13", f"fairlearn, {PEER_ROWS:,} rows", median_s(theirs, 1), "s")


if __name__ == "__main__":
    main()
