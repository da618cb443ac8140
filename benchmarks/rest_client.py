"""One of the clients of rest.py: says that it is ready, waits for a line, and sends points."""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

SECONDS = 8.0
NAMES = [f"m{place}" for place in range(100)]


def main(kind: str, url: str, word: str) -> None:
    print(penstock(url, int(word)) if kind == "penstock" else mlflow(url, word))


def penstock(url: str, points: int) -> int:
    """Log points with penstock; all are in the store when the run has ended."""
    import penstock as ps

    with ps.open_store(url) as store, ps.start_run(experiment="crowd", store=store) as run:
        begin()
        for step in range(points // len(NAMES)):
            run.log_metrics({name: step / place for place, name in enumerate(NAMES, 1)}, step)
    return points


def mlflow(url: str, experiment: str) -> int:
    """Send log-batch requests of 1,000 points for some seconds; count those that were answered."""
    server = Server(url)
    status, answer = server.post("runs/create", {"experiment_id": experiment, "start_time": 0})
    while status != 200:  # many at once are too many for its database
        status, answer = server.post("runs/create", {"experiment_id": experiment, "start_time": 0})
    run_id = answer["run"]["info"]["run_id"]
    begin()
    began, stored, step = time.perf_counter(), 0, 0
    while time.perf_counter() - began < SECONDS:
        metrics = [
            {"key": name, "value": at / place, "timestamp": 1_700_000_000_000 + at, "step": at}
            for at in range(step, step + 1000 // len(NAMES))
            for place, name in enumerate(NAMES, 1)
        ]
        step += 1000 // len(NAMES)
        status, _ = server.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})
        stored += 1000 if status == 200 else 0
    return stored


class Server:
    """MLflow's server over a kept connection; under load it closes some, which are made anew."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._netloc, timeout=600)

    def post(self, path: str, body: object) -> tuple[int, dict]:
        headers = {"content-type": "application/json"}
        data = json.dumps(body).encode()
        try:
            self._connection.request("POST", f"/api/2.0/mlflow/{path}", data, headers)
            response = self._connection.getresponse()
            found = response.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            self._connection = http.client.HTTPConnection(self._netloc, timeout=600)
            return 0, {}
        return response.status, json.loads(found or b"{}") if response.status == 200 else {}


def begin() -> None:
    print("ready", flush=True)
    assert sys.stdin.readline() == "go\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
