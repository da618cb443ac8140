"""Models trained on any form of table are asked in that form, and say clearly what they cannot do."""

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import SVC, LinearSVC

from penstock.core import DataError
from penstock.evaluation import align, as_model
from penstock.evaluation import predict_with as predict_with_model

FRAME = pl.DataFrame(
    {"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0], "kind": ["x", "y", "x", "y"]}
)
NUMBERS = FRAME.select("a", "b")
LABELS = ["no", "no", "yes", "yes"]


def predict_with(model, frame):
    return predict_with_model(as_model(model, frame), frame)


def aligned(model, frame=NUMBERS, truth=LABELS, classes=("no", "yes"), task="binary"):
    return align(predict_with(model, frame), truth, task=task, classes=classes)


def test_a_model_trained_on_polars_is_asked_with_polars():
    model = make_pipeline(
        ColumnTransformer([("kind", OneHotEncoder(), ["kind"])], remainder="passthrough"),
        LogisticRegression(),
    ).fit(FRAME, LABELS)
    answer = predict_with(model, FRAME.select("kind", "b", "a"))
    assert np.array_equal(answer.scores, model.predict_proba(FRAME))


def test_a_model_trained_on_pandas_with_pandas_steps_is_asked_with_pandas():
    pandas_step = FunctionTransformer(lambda table: table.assign(c=table["a"] * 2))
    model = make_pipeline(pandas_step, LogisticRegression()).fit(NUMBERS.to_pandas(), LABELS)
    assert predict_with(model, NUMBERS).values == model.predict(NUMBERS.to_pandas()).tolist()


def test_a_model_trained_on_an_array_is_asked_without_warnings():
    model = RandomForestClassifier(n_estimators=3, random_state=0).fit(NUMBERS.to_numpy(), LABELS)
    answer = predict_with(model, NUMBERS)
    assert np.array_equal(answer.scores, model.predict_proba(NUMBERS.to_numpy()))


def test_a_booster_with_made_up_column_names_is_asked_by_position():
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=2, min_child_samples=1, verbose=-1)
    model.fit(NUMBERS.to_numpy(), LABELS)
    answer = predict_with(model, NUMBERS)
    assert answer.values == model.predict(NUMBERS.to_numpy()).tolist()


def test_single_precision_scores_keep_their_resolution_for_log_loss():
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=2).fit(NUMBERS.to_numpy(), [0, 0, 1, 1])
    assert predict_with(model, NUMBERS).epsilon == pytest.approx(1.19e-7, rel=0.01)


def test_a_missing_column_is_named_with_the_close_one():
    model = LogisticRegression().fit(NUMBERS, LABELS)
    with pytest.raises(DataError, match=r"1 column\(s\).*'b'.*Did you mean 'bb'"):
        predict_with(model, NUMBERS.rename({"b": "bb"}))


def test_a_model_that_takes_no_form_shows_its_first_error():
    class Broken:
        def predict(self, table):
            raise RuntimeError("no luck today")

    with pytest.raises(DataError, match="RuntimeError: no luck today"):
        predict_with(Broken(), NUMBERS)


def test_our_own_errors_pass_through():
    class Strict:
        def predict(self, table):
            raise DataError(what="Column 'x' is missing.")

    with pytest.raises(DataError, match="Column 'x' is missing"):
        predict_with(Strict(), NUMBERS)


def test_several_outputs_per_row_are_refused():
    model = LinearRegression().fit(NUMBERS, np.ones((4, 2)))
    with pytest.raises(DataError, match="predicts 2 values per row"):
        predict_with(model, NUMBERS)


def test_positive_class_scores_follow_the_order_of_the_classes():
    model = LogisticRegression().fit(NUMBERS, LABELS)
    chance = model.predict_proba(NUMBERS)
    assert np.array_equal(aligned(model).scores, chance[:, 1])
    turned = aligned(model, classes=("yes", "no"))
    assert np.array_equal(turned.scores, chance[:, 0])
    assert turned.truth.tolist() == [1, 1, 0, 0]


def test_decision_values_turn_round_with_the_positive_class():
    model = LinearSVC().fit(NUMBERS, LABELS)
    outcomes = aligned(model, classes=("yes", "no"))
    assert not outcomes.probability
    assert np.array_equal(outcomes.scores, -model.decision_function(NUMBERS))


def test_a_model_that_only_predicts_has_no_scores():
    class Only:
        def predict(self, table):
            return ["yes"] * len(table)

    outcomes = aligned(Only())
    assert outcomes.scores is None
    assert outcomes.prediction.tolist() == [1, 1, 1, 1]


def test_probabilities_without_classes_follow_the_sorted_labels():
    class Wrapper:
        def predict(self, table):
            return ["no"] * len(table)

        def predict_proba(self, table):
            return [0.1] * len(table)

    assert aligned(Wrapper()).scores.tolist() == [0.1] * 4
    assert aligned(Wrapper(), classes=("yes", "no")).scores.tolist() == [0.9] * 4


def test_a_method_that_refuses_to_answer_counts_as_none():
    class Refuses:
        def predict(self, table):
            return ["no"] * len(table)

        def predict_proba(self, table):
            raise NotImplementedError

        def decision_function(self, table):
            return None

    assert aligned(Refuses()).scores is None


def test_a_class_that_the_model_never_saw_has_probability_zero():
    model = DummyClassifier().fit(NUMBERS, ["a", "a", "b", "b"])
    outcomes = aligned(model, truth=list("abca"), classes=tuple("abc"), task="multiclass")
    assert outcomes.scores.tolist() == [[0.5, 0.5, 0.0]] * 4


def test_one_against_one_decisions_are_no_scores_of_classes():
    kinds = ["a", "b", "c", "d"]
    model = SVC(decision_function_shape="ovo").fit(NUMBERS, kinds)
    assert aligned(model, truth=kinds, classes=tuple(kinds), task="multiclass").scores is None


def test_classes_where_numbers_are_wanted_are_refused():
    model = DummyClassifier().fit(NUMBERS, LABELS)
    with pytest.raises(DataError, match="A regression needs numbers"):
        aligned(model, truth=[1.0, 2.0, 3.0, 4.0], task="regression")


def test_labels_in_another_type_than_the_target_are_refused():
    model = DummyClassifier().fit(NUMBERS, ["0", "0", "1", "1"])
    with pytest.raises(DataError, match="none of the target's classes"):
        aligned(model, truth=[0, 0, 1, 1], classes=(0, 1))


@pytest.mark.parametrize("factor", [1.2, -1.0])
def test_scores_that_are_no_probabilities_have_no_log_loss(factor):
    class Loud(LogisticRegression):
        def predict_proba(self, rows):
            return factor * super().predict_proba(rows)

    model = Loud().fit(NUMBERS.to_numpy(), LABELS)
    made = predict_with(model, NUMBERS)
    assert made.probability is False
    assert predict_with(LogisticRegression().fit(NUMBERS.to_numpy(), LABELS), NUMBERS).probability
