"""infer_signature: from training columns and a trial of the fitted estimator."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from penstock.core import DataError
from penstock.models import infer_signature
from penstock.models._inference import describe_estimator
from penstock.tables import Column

X = pl.DataFrame(
    {
        "age": [20, 30, 40, 50] * 5,
        "income": [1.5, None, 3.0, 4.0] * 5,
        "city": ["Bonn", "Köln", "Bonn", "Trier"] * 5,
    }
)
Y = pl.Series("y", ["no", "yes", "no", "yes"] * 5)
COLUMNS = [
    Column("age", "integer", "Int64", minimum=18, maximum=99),
    Column("income", "number", "Float64", nullable=True, minimum=0.0, maximum=10.0),
    Column("city", "category", "String", nullable=True, levels=("Bonn", "Köln", "Ulm")),
]


def pipeline():
    columns = make_column_transformer(
        (SimpleImputer(), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(X, Y)


def test_ranges_categories_and_missing_values_come_from_the_training_columns():
    signature = infer_signature(pipeline(), X, Y, columns=COLUMNS, target="y")
    age, income, city = signature.inputs
    assert (age.minimum, age.maximum, age.nullable) == (18, 99, False)
    assert (income.kind, income.nullable, income.levels) == ("number", True, None)
    assert (city.levels, city.nullable, city.minimum) == (("Bonn", "Köln", "Ulm"), True, None)


def test_the_positive_class_is_told_by_meaning_or_not_at_all():
    model = DummyClassifier().fit(X, ["cat", "dog"] * 10)
    assert infer_signature(model, X).positive is None
    assert infer_signature(model, X, positive="cat").positive == "cat"
    assert infer_signature(DummyClassifier().fit(X, ["legit", "fraud"] * 10), X).positive == "fraud"


def test_a_binary_classifier_is_recognised_with_yes_positive():
    signature = infer_signature(pipeline(), X, Y, columns=COLUMNS, target="y")
    assert (signature.task, signature.classes) == ("binary", ("no", "yes"))
    assert (signature.positive, signature.frame, signature.target) == ("yes", "polars", "y")
    assert infer_signature(pipeline(), X, Y, columns=COLUMNS, positive="no").positive == "no"


def test_without_training_columns_the_sample_decides():
    signature = infer_signature(pipeline(), X, Y)
    age, _, city = signature.inputs
    assert (age.kind, age.minimum, age.maximum) == ("integer", 20, 50)
    assert (city.kind, city.levels) == ("text", None)


def test_numbers_are_a_regression():
    model = DummyRegressor().fit(X, range(20))
    signature = infer_signature(model, X, range(20))
    assert (signature.task, signature.classes, signature.positive) == ("regression", (), None)


def test_three_labels_are_multiclass():
    model = DummyClassifier().fit(X, [0, 1, 2, 1] * 5)
    signature = infer_signature(model, X, np.array([0, 1, 2, 1] * 5))
    assert (signature.task, signature.classes) == ("multiclass", (0, 1, 2))
    assert [type(label) for label in signature.classes] == [int] * 3


def test_booleans_stay_booleans():
    model = DummyClassifier().fit(X, [True, False] * 10)
    assert infer_signature(model, X).classes == (False, True)


def test_a_model_that_takes_missing_values_is_noticed():
    assert infer_signature(DummyRegressor().fit(X, range(20)), X).accepts_missing is True
    numbers = X.select("age")
    strict = LinearRegression().fit(numbers, range(20))
    assert infer_signature(strict, numbers).accepts_missing is False
    lenient = HistGradientBoostingClassifier(max_iter=2).fit(numbers, Y)
    assert infer_signature(lenient, numbers).accepts_missing is True


def test_a_model_without_names_gets_numpy():
    numbers = X.select("age")
    model = LinearRegression().fit(numbers.to_numpy(), range(20))
    assert infer_signature(model, numbers).frame == "numpy"


class OnlyPandas:
    def predict(self, frame):
        return frame.iloc[:, 0].to_numpy() * 1.0


class Complaining(OnlyPandas):
    """Warns whatever it is given."""

    def predict(self, frame):
        import warnings

        warnings.warn("X has no valid feature names", UserWarning, stacklevel=1)
        return np.zeros(len(frame))


def test_a_model_that_takes_pandas_gets_pandas():
    assert infer_signature(OnlyPandas(), X).frame == "pandas"


def test_a_model_that_always_complains_gets_the_first_frame_it_takes():
    assert infer_signature(Complaining(), X).frame == "polars"


class Raising:
    def predict(self, frame):
        raise KeyError("the column 'tip'")


class Short:
    def predict(self, frame):
        return [1.0]


class Nan:
    def predict(self, frame):
        return [float("nan")] * len(frame)


class Many:
    def predict(self, frame):
        if len(frame) == 1:
            raise ValueError("expected a batch")
        return [1.0] * len(frame)


class Dropping:
    """Answers at random, as a network whose dropout stays on."""

    def predict(self, frame):
        return np.random.default_rng().normal(size=len(frame))


class Guessing(Dropping):
    """Names one label all the time, with random probabilities."""

    def predict(self, frame):
        return ["yes"] * len(frame)

    def predict_proba(self, frame):
        share = np.random.default_rng().uniform(0.6, 1, size=len(frame))
        return np.column_stack([1 - share, share])


class Flipping(Guessing):
    """Draws labels from probabilities that stay, as a dummy of scikit-learn does."""

    def predict(self, frame):
        return np.random.default_rng().permutation(["no", "yes"] * (len(frame) // 2 + 1))[
            : len(frame)
        ]

    def predict_proba(self, frame):
        return np.full((len(frame), 2), 0.5)


class Noisy:
    """Differs in the last bits, as sums of threads do."""

    def predict(self, frame):
        return 1 + 1e-7 * np.random.default_rng().normal(size=len(frame))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Dropping(), r"\(Dropping\) predicts -?\d.* for the same row when asked again"),
        (
            Guessing(),
            r"\(Guessing\) predicts \[0\..*, and \[0\..* for the same row when asked again",
        ),
        (Flipping(), r"\(Flipping\) predicts '(yes|no)' for a row.*random_state"),
        (Raising(), "cannot predict these rows.*polars: KeyError.*pandas: KeyError.*numpy"),
        (Short(), "40 rows gave 1 predictions"),
        (Nan(), "Some predictions are NaN"),
        (Many(), r"cannot predict a single row: ValueError: expected a batch\."),
        (object(), r"object has no predict\(\)"),
    ],
)
def test_a_model_that_cannot_answer_is_refused_with_the_reason(model, words):
    with pytest.raises(DataError, match=words):
        infer_signature(model, pl.concat([X, X]))


def test_sums_in_another_order_are_the_same_answer():
    assert infer_signature(Noisy(), X).task == "regression"
    chosen = DummyClassifier(strategy="stratified", random_state=0).fit(X, Y)
    assert infer_signature(chosen, X, Y).classes == ("no", "yes")


def test_an_empty_sample_is_refused():
    with pytest.raises(DataError, match="has no row"):
        infer_signature(DummyRegressor().fit(X, range(20)), X.head(0))


def test_labels_that_the_target_does_not_have_are_refused():
    model = DummyClassifier().fit(X, [0, 1] * 10)
    with pytest.raises(DataError, match="The model predicts 0, 1, but the target holds no, yes"):
        infer_signature(model, X, Y)


class Labels:
    def predict(self, frame):
        return ["yes"] * len(frame)


def test_classes_of_a_model_that_does_not_name_them_come_from_the_target():
    signature = infer_signature(Labels(), X, Y)
    assert (signature.task, signature.classes) == ("binary", ("no", "yes"))
    with pytest.raises(DataError, match="The model predicts yes, but the target holds a, b"):
        infer_signature(Labels(), X, ["a", "b"])


def test_an_unknown_positive_label_is_refused():
    with pytest.raises(DataError, match=r"positive label 'yess' is none.*Did you mean 'yes'"):
        infer_signature(pipeline(), X, Y, columns=COLUMNS, positive="yess")


def test_columns_that_no_request_can_carry_are_refused():
    frame = pl.DataFrame({"a": [[1], [2]]})
    with pytest.raises(DataError, match="cannot be a model's input"):
        infer_signature(OnlyPandas(), frame)


def test_closed_categories_are_known_from_the_type():
    frame = pl.DataFrame({"s": pl.Series(["s", "m"], dtype=pl.Enum(["s", "m", "l"]))})
    field = infer_signature(DummyRegressor().fit([[0], [1]], [1, 2]), frame).inputs[0]
    assert (field.kind, field.levels) == ("category", ("s", "m", "l"))


def test_five_hundred_columns_are_tried_in_one_call():
    wide = pl.DataFrame({f"c{i}": [1.0, 2.0] for i in range(500)})
    calls = []

    class Counting:
        def predict(self, frame):
            calls.append(len(frame))
            return [1.0] * len(frame)

    assert infer_signature(Counting(), wide).accepts_missing is True
    assert calls == [2, 1, 2, 500, 1]


def test_rows_checked_by_the_signature_are_answered_as_the_frame_was():
    model, signature = pipeline(), infer_signature(pipeline(), X, Y, columns=COLUMNS)
    frame, _ = signature.check_rows(X.to_dicts())
    assert frame.equals(X)
    assert model.predict(frame).tolist() == model.predict(X).tolist()


def test_an_evaluated_model_is_asked_with_the_same_inputs_and_frames_again():
    class ArrayModel:
        def __init__(self):
            self.offered = []

        def predict(self, rows):
            self.offered.append(type(rows).__name__)
            return np.asarray(rows)[:, 0] * 2.0

    model = ArrayModel()
    numbers = X.select("age", "income").fill_null(0.0)
    evaluated = replace(describe_estimator(model, numbers.select("age")), frame="numpy")
    model.offered.clear()
    signature = infer_signature(model, numbers, [1.0] * 20, evaluated=evaluated)
    assert set(model.offered) == {"ndarray"}
    assert (signature.frame, signature.names) == ("numpy", ["age"])
    assert signature.ignored == ("income",)


def test_an_estimator_that_refuses_the_evaluated_frame_type_is_no_evaluated_model():
    class FrameModel:
        def predict(self, rows):
            return rows["age"].to_list()

    numbers = X.select("age")
    evaluated = replace(describe_estimator(FrameModel(), numbers), frame="numpy")
    with pytest.raises(DataError, match="offered them as numpy"):
        infer_signature(FrameModel(), numbers, [1.0] * 20, evaluated=evaluated)
