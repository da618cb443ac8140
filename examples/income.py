"""income.py - predicts who earns more than 50,000 dollars, and demands fairness of the model.

Data: adult_train.csv, the UCI Adult table without header. It is looked for beside this file, in
the working folder and where the path below points.
Run it: penstock run examples/income.py --set model=linear
"""

from typing import Literal

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import penstock as ps

COLUMNS = (
    "age workclass fnlwgt education education_num marital_status occupation relationship race sex "
    "capital_gain capital_loss hours_per_week native_country income"
)
people = ps.FileSource("../../shared/data/adult_train.csv", columns=COLUMNS.split())


@ps.step
def train(split: ps.Split, model: str) -> Pipeline:
    if model == "linear":
        columns = ps.table_transformer(split.schema, scale=True)
        estimator = LogisticRegression(max_iter=1000)
    else:
        columns = ps.table_transformer(split.schema)
        estimator = HistGradientBoostingClassifier(random_state=0)
    return make_pipeline(columns, estimator).fit(split.train.X, split.train.y)


@ps.pipeline
def income(model: Literal["trees", "linear"] = "trees") -> ps.ModelVersion:
    rows = ps.steps.ingest(people)
    # fnlwgt is the census weight of a row, not a property of the person.
    split = ps.steps.split(rows, target="income", test=0.2, drop=["fnlwgt"])
    fitted = train(split, model)
    report = ps.steps.evaluate(fitted, split, slices=["sex", "race"], positive=">50K")
    return ps.steps.register(
        "income",
        fitted,
        report,
        gates=[
            "roc_auc >= 0.88",
            "roc_auc >= champion.roc_auc - 0.005",
            # The same share of those who earn more must be found among women and men.
            "gap(recall, sex) <= 0.15",
            "ratio(accuracy, race) >= 0.8",
            "leakage == none",
            "verified",
        ],
    )
