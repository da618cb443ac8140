"""F19: a user's table from `penstock new` to a registered version, as whole processes.

Beside a bare scikit-learn script that reads, splits, fits and scores the same. The table is made
here, of the size of the bike sharing table of UCI (17,379 rows, 17 columns).
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
from figures import median_s, quiet_store, tell

ROWS, COLUMNS = 17_379, 16
BARE = """
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

frame = pl.read_csv("table.csv")
X, y = frame.drop("target").to_numpy(), frame["target"].to_numpy()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
model = make_pipeline(HistGradientBoostingRegressor(random_state=0)).fit(X_train, y_train)
found = model.predict(X_test)
print(r2_score(y_test, found), root_mean_squared_error(y_test, found))
"""


def main() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = str(Path(sys.executable).with_name("penstock"))

    def call(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, env=environment)

    def new(folder: str) -> None:
        call(command, "new", folder, "--data", "table.csv", "--target", "target")

    with quiet_store() as folder:
        write_table(folder / "table.csv")
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        call(sys.executable, "bare.py")
        bare = median_s(lambda: call(sys.executable, "bare.py"))
        tell("F19", "a bare scikit-learn script", bare, "s")
        names = iter(f"job{number}" for number in range(9))
        new(next(names))
        seconds = median_s(lambda: new(next(names)), 3)
        tell("F19", "penstock new", seconds, "s", 0.8 * bare)
        run = (command, "run", "job0/job0.py", "-q")
        call(*run)
        seconds = median_s(lambda: call(*run, "--no-cache"), 3)
        tell("F19", "penstock run, cold", seconds, "s", 1.25 * bare + 0.5)
        seconds = median_s(lambda: call(*run))
        tell("F19", "penstock run, all but register cached", seconds, "s", 0.4 * bare)
        imports = "import sklearn.ensemble, sklearn.pipeline"
        seconds = median_s(lambda: call(sys.executable, "-c", imports))
        tell("F19", "of which the file's own imports", seconds, "s")


def write_table(path: Path) -> None:
    """Write numbers of which one follows from some of the others, with noise."""
    draw = np.random.default_rng(0)
    columns = {f"x{at}": draw.normal(size=ROWS).round(4) for at in range(COLUMNS)}
    columns["target"] = columns["x0"] * 3 + columns["x1"] * columns["x2"] + draw.normal(size=ROWS)
    pl.DataFrame(columns).write_csv(path)


if __name__ == "__main__":
    main()
