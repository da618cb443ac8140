"""Cost of the store's hot calls, and of importing SQLAlchemy: the reasons in decision 0002."""

import subprocess
import sys

from figures import median_s, quiet_store, tell

import penstock as ps
from penstock.core import StepState
from penstock.testing._records import a_run, a_step, an_artifact

CALLS = 2000


def main() -> None:
    with quiet_store() as folder:
        metadata = ps.open_store(f"sqlite:///{folder}/penstock.db").metadata
        run = a_run()
        metadata.runs.create(run)

        def finish() -> None:
            for place in range(CALLS):
                done = a_step(run.run_id, f"s{place}", state=StepState.FINISHED, key=f"k{place}")
                following = a_step(run.run_id, f"s{place + 1}", position=place + 1)
                metadata.steps.finish(done, outputs=[an_artifact(str(place))], next_step=following)

        def look_up() -> None:
            for place in range(CALLS):
                metadata.steps.find_cached(f"k{place}")

        tell("store", "finish a step and start the next", median_s(finish, 3) / CALLS * 1e6, "us")
        tell("store", "find a step by its key", median_s(look_up, 3) / CALLS * 1e6, "us")
    bare = median_s(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    code = [sys.executable, "-c", "import sqlalchemy"]
    loaded = median_s(lambda: subprocess.run(code, check=True))
    tell("store", "importing SQLAlchemy, which daily work does not do", loaded - bare, "s")


if __name__ == "__main__":
    main()
