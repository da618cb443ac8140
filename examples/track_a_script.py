"""track_a_script.py - record a plain script or notebook: no pipeline, no server, one `with`.

Run it: python examples/track_a_script.py
"""

import polars as pl
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

import penstock as ps

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

for alpha in (0.01, 0.1, 1.0):
    with ps.start_run(f"ridge {alpha}", experiment="diabetes") as run:
        run.log_params({"alpha": alpha, "model": "ridge"})
        model = Ridge(alpha=alpha).fit(X_train, y_train)
        predicted = model.predict(X_test)
        run.log_metric("r2", r2_score(y_test, predicted))
        # A metric may have steps: here the error over more and more of the test rows.
        for rows in range(20, len(y_test) + 1, 30):
            error = float(abs(predicted[:rows] - y_test[:rows]).mean())
            run.log_metric("mae", error, step=rows)
        run.log_artifact(pl.DataFrame({"truth": y_test, "predicted": predicted}), name="answers")

best = ps.search_runs("metrics.r2 > 0", order_by="metrics.r2 desc", experiment="diabetes")[0]
print(f"best: {best.name}, alpha {best.params['alpha']}, r2 {best.metrics['r2']:.3f}")  # noqa: T201
print(best.metric_history("mae"))  # noqa: T201
print(best.artifact("answers").head(3))  # noqa: T201
