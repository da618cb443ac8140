"""F10: verifying a run costs no more than the run, 10 % and 2 s."""

import importlib

from figures import median_s, quiet_store, tell

PIPELINE = """
import numpy as np
import penstock as ps
from sklearn.ensemble import RandomForestClassifier


@ps.step
def fit(rows: int) -> RandomForestClassifier:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, 20))
    y = x[:, 0] + generator.normal(size=rows) > 0
    return RandomForestClassifier(n_estimators=60, random_state=0).fit(x, y)


@ps.pipeline
def forest(rows: int = 20_000) -> RandomForestClassifier:
    return fit(rows)
"""


def main() -> None:
    with quiet_store() as folder:
        (folder / "forest.py").write_text(PIPELINE, encoding="utf-8")
        ps = importlib.import_module("penstock")
        execution = importlib.import_module("penstock.execution")
        pipeline = ps.execution.load_pipeline(str(folder / "forest.py"))
        results = []
        run_s = median_s(
            lambda: results.append(
                ps.run(pipeline, use_cache=False, reporter=execution.QuietReporter())
            ),
            3,
        )
        run_id = results[-1].run_id
        verdicts = []
        verify_s = median_s(lambda: verdicts.append(ps.verify(run_id)), 3)
        tell("F10", f"the run itself ({verdicts[-1].verdict.value})", run_s, "s")
        tell("F10", "verify", verify_s, "s", run_s * 1.1 + 2)


if __name__ == "__main__":
    main()
