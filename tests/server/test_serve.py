"""`penstock server` as it is used: processes that are killed, and clients that lose nothing."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services import free_port

from penstock.core import (
    AccessError,
    NotFoundError,
    RunState,
    ServingError,
    SignInError,
    StoreError,
    TickState,
    now,
)
from penstock.people import Projects, Tokens, Users, create_first_admin
from penstock.server import serve_store
from penstock.stores import open_store
from penstock.testing._records import a_run
from penstock.tracking import get_run, start_run

CLI = [sys.executable, "-m", "penstock.cli"]
QUIET: dict[str, Any] = {"console": False, "system_metrics": False}
PIPELINE = """
from pathlib import Path

import penstock as ps

@ps.step
def first(n: int) -> int:
    return n + 1

@ps.step
def rows(x: int) -> list:
    return [x] * 300_000

@ps.step
def total(rows: list) -> int:
    if Path("broken").exists():
        raise ValueError("broken")
    return sum(rows)

@ps.pipeline
def job(n: int = 1) -> int:
    return total(rows(first(n)))
"""


class Served:
    """A server process that is killed and started again at the same address."""

    def __init__(self, folder, store, *words):
        self.port, self.words = free_port(), words
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        self._environment = kept | store
        self.processes: list[subprocess.Popen[str]] = []

    def start(self):
        process = subprocess.Popen(
            [*CLI, "server", "--port", str(self.port), "--json", *self.words],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(process.stdout.readline()) == {"url": self.url}
        self.processes.append(process)
        return process

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            assert process.wait(20) is not None


@contextmanager
def server(folder, store=None, *words):
    served = Served(folder, store or {"PENSTOCK_STORE": f"sqlite:///{folder}/penstock.db"}, *words)
    try:
        yield served
    finally:
        served.close()


@pytest.fixture(autouse=True)
def _own_journals(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_JOURNALS", str(tmp_path / "journals"))
    monkeypatch.setattr("penstock.stores.rest._connection._PATIENCE_S", 2.0)
    monkeypatch.setattr("penstock.stores.rest._connection._DOWN_S", 0.5)


def test_a_server_killed_under_a_logging_run_loses_no_point_and_doubles_none(tmp_path):
    with server(tmp_path) as served:
        first = served.start()
        with open_store(served.url) as store:
            run, step = start_run(store=store, **QUIET), 0
            for _ in range(3):
                for _ in range(5000):
                    run.log_metric("loss", step, step=step)
                    step += 1
                store_is_filled = threading.Thread(target=lambda: _ignored(store.flush))
                store_is_filled.start()
                served.kill(served.processes[0])
                began = time.monotonic()
                run.log_metric("loss", step, step=step)
                step += 1
                assert time.monotonic() - began < 1.5  # whoever trains does not wait for the 2 s
                store_is_filled.join()
                served.start()
            run.finish()
            store.flush()
            steps = run_history(run.run_id, store)
        assert first.poll() is not None
        assert steps == list(range(step))


def _ignored(act):
    with suppress(StoreError):
        act()


def run_history(run_id, store):
    return get_run(run_id, store=store).metric_history("loss")["step"].to_list()


def test_all_that_is_logged_while_the_server_is_away_is_recorded_when_it_is_back(tmp_path):
    with server(tmp_path) as served:
        process = served.start()
        with open_store(served.url) as store:
            run = start_run(store=store, **QUIET)
            run.log_metric("loss", 0.0, step=0)
            served.kill(process)
            run.log_metric("loss", 1.0, step=1)
            run.log_param("rate", 0.1)
            run.set_tag("team", "risk")
            run.finish()
            with pytest.raises(StoreError, match="does not answer"):
                store.metadata.runs.get(run.run_id)
            served.start()
            time.sleep(0.6)
            store.flush()
            found = get_run(run.run_id, store=store)
            assert found.record.state is RunState.FINISHED
            assert (found.params, found.tags) == ({"rate": 0.1}, {"team": "risk"})
            assert run_history(run.run_id, store) == [0, 1]


def test_an_answer_that_is_lost_is_got_by_asking_again(tmp_path):
    """The server acts, and the connection breaks before the answer: through a proxy that cuts it."""
    with server(tmp_path) as served:
        served.start()
        with (
            _cutting(served.port, times=2) as port,
            open_store(f"http://127.0.0.1:{port}") as store,
        ):
            run = a_run()
            store.metadata.runs.create(run)  # the first answer is for the opening of the store
            store.metadata.runs.create_experiment("once")
            assert "once" in store.metadata.runs.list_experiments()
            assert store.metadata.runs.get(run.run_id) == run


@contextmanager
def _cutting(port, times):
    """A proxy that passes on requests, and breaks the first connections that change something."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = [times]

    def ask(client, upstream, seen):
        while request := client.recv(1 << 20):
            seen.append(b"idempotency-key" in request.lower())
            upstream.sendall(request)

    def work(client):
        seen: list[bool] = []
        with client, socket.create_connection(("127.0.0.1", port)) as upstream:
            asking = threading.Thread(target=ask, args=(client, upstream, seen), daemon=True)
            asking.start()
            while answer := upstream.recv(1 << 20):
                if any(seen) and left[0]:
                    left[0] -= 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(answer)

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=work, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_16_clients_of_8_threads_lose_nothing_and_double_nothing(tmp_path):
    clients = range(16)
    with server(tmp_path) as served:
        served.start()
        with open_store(served.url) as store:
            shared = a_run().run_id
            store.metadata.runs.create(a_run(run_id=shared))
            command = [sys.executable, str(Path(__file__).with_name("writer.py")), served.url]
            writers = [
                subprocess.Popen(
                    [*command, str(number), shared], stdout=subprocess.PIPE, text=True, cwd=tmp_path
                )
                for number in clients
            ]
            told = [json.loads(writer.communicate(timeout=300)[0]) for writer in writers]
            assert [each["errors"] for each in told] == [[]] * 16
            for number, each in enumerate(told):
                run = get_run(each["run_id"], store=store)
                assert run.record.state is RunState.FINISHED
                assert run.params == {f"p{thread}": thread for thread in range(8)}
                assert run.tags == {f"t{thread}": f"{number}-{thread}" for thread in range(8)}
                for thread in range(8):
                    assert run.artifact(f"a{thread}") == {"of": f"{number}-{thread}"}
                    history = run.metric_history(f"m{thread}")
                    assert history["value"].to_list() == list(range(25))
            names = [f"{number}-{thread}" for number in clients for thread in range(8)]
            whole = get_run(shared, store=store)
            assert whole.params == dict(a_run().params) | {f"p{name}": name for name in names}
            assert whole.tags == dict(a_run().tags) | {f"t{name}": name for name in names}
            assert set(store.metadata.artifacts.list(shared)) == {f"a{name}" for name in names}
            values = whole.metric_history("all")["value"].to_list()
            assert values == list(range(16 * 8 * 25))


@pytest.mark.services
def test_of_two_servers_on_one_postgres_one_is_killed_and_nothing_is_lost(
    tmp_path, postgres_server
):
    store = {
        "PENSTOCK_STORE": postgres_server.database(),
        "PENSTOCK_ARTIFACTS": str(tmp_path / "bytes"),
    }
    with server(tmp_path, store, "--share-port") as served:
        served.start()
        served.start()
        with open_store(served.url) as opened:
            run_id, digests = a_run().run_id, []
            opened.metadata.runs.create(a_run(run_id=run_id))

            def work(number):
                for place in range(40):
                    opened.metadata.runs.set_tags(run_id, {f"{number}-{place}": "x"})
                    digests.append(opened.artifacts.write(b"%d-%d" % (number, place) * 5000))

            with ThreadPoolExecutor(4) as pool:
                working = [pool.submit(work, number) for number in range(4)]
                time.sleep(0.3)
                served.kill(served.processes[0])
            for each in working:
                each.result()
            tags = set(opened.metadata.runs.get(run_id).tags)
            assert tags >= {f"{n}-{place}" for n in range(4) for place in range(40)}
            assert len(digests) == 160
            assert all(opened.artifacts.exists(digest) for digest in digests)


@pytest.mark.parametrize("runner", ["local", "processes"])
def test_a_pipeline_runs_is_cached_and_resumes_over_http(tmp_path, runner):
    (tmp_path / "job.py").write_text(PIPELINE)
    with server(tmp_path) as served:
        served.start()

        def penstock(*words, code=0):
            done = subprocess.run(
                [*CLI, *words, "--json"],
                cwd=tmp_path,
                env=os.environ | {"PENSTOCK_STORE": served.url},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, done.stdout + done.stderr
            return json.loads(done.stdout)

        (tmp_path / "broken").touch()
        failed = penstock("run", "job.py", "--runner", runner, code=3)
        assert [step["state"] for step in failed["steps"]] == ["finished", "finished", "failed"]
        (tmp_path / "broken").unlink()
        first = penstock("run", "--resume", failed["run_id"], "--runner", runner)
        assert (first["run_id"], first["state"]) == (failed["run_id"], "finished")
        again = penstock("run", "job.py", "--runner", runner)
        assert [step["state"] for step in again["steps"]] == ["cached"] * 3
        outputs = [
            {step["name"]: step["outputs"] for step in run["steps"]} for run in (first, again)
        ]
        assert outputs[0] == outputs[1]
        assert penstock("show", again["run_id"])["state"] == "finished"


def test_pages_and_api_share_the_port(tmp_path):
    with server(tmp_path) as served:
        served.start()
        with httpx.Client(base_url=served.url) as client:
            assert client.get("/runs").headers["content-type"].startswith("text/html")
            assert client.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"
            assert client.get("/health").text == "OK"  # as MLflow's clients know it
            found = client.post("/api/2.0/mlflow/experiments/search", json={"max_results": 5})
            assert found.status_code == 200
            assert client.get("/api/v2/x").status_code == 404


def test_the_scheduler_of_a_server_runs_what_is_due(tmp_path):
    (tmp_path / "job.py").write_text(PIPELINE)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'job'\nversion = '1'\n")
    with server(tmp_path, None, "--scheduler", "--courier") as served:
        environment = os.environ | {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/penstock.db"}
        served.start()
        for command in (
            ["schedule", "add", "job.py", "--every", "30d", "--name", "often"],
            ["schedule", "trigger", "often"],
        ):
            subprocess.run(
                [*CLI, *command], cwd=tmp_path, env=environment, check=True, capture_output=True
            )
        with open_store(served.url) as store:
            until = now() + timedelta(seconds=60)
            while now() < until:
                ticks = store.metadata.schedules.list_ticks("often")
                if ticks and ticks[0].state is TickState.FINISHED:
                    break
                time.sleep(0.2)
            assert ticks[0].state is TickState.FINISHED
            assert store.metadata.runs.get(ticks[0].run_id).state is RunState.FINISHED


def test_a_store_with_users_asks_for_a_token_and_records_whose_it_is(tmp_path, monkeypatch):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        admin = create_first_admin(store=store)
        assert admin is not None
        Projects(store=store).add("churn", names=["churn", "churn-*"])
        Users(store=store).add("ada")
        Users(store=store).grant("ada", "trainer", project="churn")
        token = Tokens(store=store).create("ada")
    with server(tmp_path) as served:
        served.start()
        monkeypatch.delenv("PENSTOCK_TOKEN", raising=False)
        with pytest.raises(SignInError, match="says nothing of who"):
            open_store(served.url)
        monkeypatch.setenv("PENSTOCK_TOKEN", token.secret.reveal())
        with open_store(served.url) as store:
            assert token.secret.reveal() not in repr(store) + store.url
            with start_run(experiment="churn", store=store, **QUIET) as run:
                run.log_metric("loss", 1.0)
                run.log_artifact({"a": 1}, name="settings")
            assert run.record.user == "ada"
            with pytest.raises(AccessError, match="no permission to write"):
                start_run(experiment="fraud", store=store, **QUIET)


def test_an_address_that_others_reach_is_refused_without_users(tmp_path):
    with (
        open_store(f"sqlite:///{tmp_path}/a.db") as store,
        pytest.raises(ServingError, match="has no users"),
    ):
        serve_store("0.0.0.0", free_port(), store=store)


def test_what_is_no_penstock_server_is_said(tmp_path):
    with pytest.raises(StoreError, match="does not answer"):
        open_store(f"http://127.0.0.1:{free_port()}")
    with server(tmp_path) as served:
        served.start()
        with pytest.raises((StoreError, NotFoundError)):
            open_store(f"{served.url}/elsewhere")


def test_the_server_s_memory_stays_flat_when_a_large_artifact_passes(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        for number in range(300):
            file.write(bytes([number % 256]) * (1 << 20))
    with server(tmp_path) as served:
        process = served.start()
        with open_store(served.url) as store:
            store.artifacts.write(b"warm" * 1_000_000)
            before = peak_mib(process.pid)
            digest = store.artifacts.write_file(path)
            store.artifacts.fetch(digest, tmp_path / "back.bin")
            assert (tmp_path / "back.bin").stat().st_size == 300 << 20
            assert peak_mib(process.pid) - before < 64


def test_the_server_s_memory_stays_flat_when_an_mlflow_client_sends_a_large_artifact(tmp_path):
    block = bytes(range(256)) * (1 << 12)  # 1 MiB
    v2 = "/api/2.0/mlflow"
    with server(tmp_path) as served, httpx.Client(base_url=served.url, timeout=120) as client:
        process = served.start()
        made = client.post(f"{v2}/runs/create", json={"experiment_id": "0"}).json()
        root = made["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        place = f"{v2}-artifacts/artifacts/{root}"
        client.put(f"{place}/warm", content=block * 4)
        assert client.get(f"{place}/warm").content == block * 4
        before = peak_mib(process.pid)
        sent = client.put(f"{place}/large.bin", content=(block for _ in range(300)))
        assert sent.status_code == 200
        seen, digest = 0, hashlib.sha256()
        with client.stream("GET", f"{place}/large.bin") as answer:
            for part in answer.iter_bytes(1 << 20):
                seen += len(part)
                digest.update(part)
        whole = hashlib.sha256()
        for _ in range(300):
            whole.update(block)
        assert (seen, digest.digest()) == (300 << 20, whole.digest())
        assert peak_mib(process.pid) - before < 64


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
