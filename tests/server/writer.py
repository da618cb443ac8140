"""A client of the test of many writers: eight threads that write to a server, then say what failed."""

import json
import sys
import threading

from penstock.core import MetricPoint, now
from penstock.stores import open_store
from penstock.tracking import start_run

THREADS, CALLS = 8, 25


def main(url: str, number: int, shared: str) -> None:
    errors: list[str] = []
    with (
        open_store(url) as store,
        start_run(
            f"client {number}", store=store, console=False, system_metrics=False, strict=True
        ) as run,
    ):

        def work(thread: int) -> None:
            name = f"{number}-{thread}"
            try:
                run.log_param(f"p{thread}", thread)
                run.set_tag(f"t{thread}", name)
                run.log_artifact({"of": name}, name=f"a{thread}")
                for step in range(CALLS):
                    run.log_metric(f"m{thread}", step, step)
                # The run that all clients write at once: their own names, and one series.
                runs = store.metadata.runs
                runs.log_params(shared, {f"p{name}": name})
                runs.set_tags(shared, {f"t{name}": name})
                place = (number * THREADS + thread) * CALLS
                points = [
                    MetricPoint("all", float(place + step), place + step, now())
                    for step in range(CALLS)
                ]
                store.metadata.metrics.log(shared, points)
                store.metadata.artifacts.log(shared, f"a{name}", store.put({"of": name}))
            except Exception as error:  # noqa: BLE001 - told to the test
                errors.append(repr(error))

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    print(json.dumps({"run_id": run.run_id, "errors": errors}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
