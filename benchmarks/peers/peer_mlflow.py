"""MLflow tracking and registry. Argument: `local` (SQLite in this process) or `server` (HTTP 127.0.0.1)."""

import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import common as c

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", GIT_PYTHON_REFRESH="quiet")
logging.disable(logging.CRITICAL)


def start_server(work):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    t0 = time.perf_counter()
    p = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--backend-store-uri",
            f"sqlite:///{work}/s.db",
            "--artifacts-destination",
            f"{work}/art",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
            break
        except OSError:
            if time.perf_counter() - t0 > 90 or p.poll() is not None:
                stop(p)
                raise
            time.sleep(0.05)
    return p, f"http://127.0.0.1:{port}", time.perf_counter() - t0


def stop(p):
    """Ends the server's whole process group; its job runners outlive a plain SIGTERM for a while."""
    os.killpg(p.pid, signal.SIGTERM)
    time.sleep(2)
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def group_rss_mb(pid):
    total = n = 0
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                if os.getpgid(int(d)) == pid:
                    line = [x for x in open(f"/proc/{d}/smaps_rollup") if x.startswith("Pss:")][0]
                    total += int(line.split()[1])
                    n += 1
            except (OSError, IndexError):
                pass
    return total / 1024, n


def main(mode):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp()
    os.chdir(work)
    f = {"mode": mode, **c.env_facts("mlflow")}
    server = None
    if mode == "server":
        server, uri, f["t6_server_first_answer_s"] = start_server(work)
        time.sleep(2)
        f["t6_idle_pss_mb"], f["t6_processes"] = group_rss_mb(server.pid)
    else:
        f["import_s"] = c.import_s("mlflow")
        uri = f"sqlite:///{work}/s.db"
    try:
        body(uri, f, mode, work)
    finally:
        if server:
            stop(server)
        c.report("mlflow", f)  # also what was measured before a failure


def body(uri, f, mode, work):
    import mlflow
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    t0 = time.perf_counter()
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")
    f["first_use_creates_store_s"] = time.perf_counter() - t0
    cl = MlflowClient()
    exp = mlflow.get_experiment_by_name("bench").experiment_id
    # T1: one key, one call a step, until the time cap
    n, cap = 10_000, 8
    with mlflow.start_run():
        t0 = time.perf_counter()
        for i in range(n):
            mlflow.log_metric("loss", i * 0.5, step=i)
            if time.perf_counter() - t0 > cap:
                break
        el = time.perf_counter() - t0
    f["t1_calls"], f["t1_calls_per_s"] = i + 1, (i + 1) / el
    with mlflow.start_run():
        t0 = time.perf_counter()
        for i in range(300):
            mlflow.log_metric("loss", i * 0.5, step=i, synchronous=False)
        f["t1_async_caller_per_s"] = 300 / (time.perf_counter() - t0)
        mlflow.flush_async_logging()
    f["t1_async_incl_flush_per_s"] = 300 / (time.perf_counter() - t0)
    # T2: a dict of 10 metrics a step (time-capped), then full 1000-point batches
    with mlflow.start_run() as r:
        t0 = time.perf_counter()
        for i in range(10_000):
            mlflow.log_metrics({f"m{k}": i + k / 10 for k in range(10)}, step=i)
            if time.perf_counter() - t0 > 6:
                break
        f["t2_dict10_points_per_s"] = 10 * (i + 1) / (time.perf_counter() - t0)
    # T2 batches on one key (100k points), which T4 then reads back
    big = cl.create_run(exp)
    t0 = time.perf_counter()
    total = 100_000
    for s in range(0, total, 1000):
        cl.log_batch(
            big.info.run_id,
            [Metric("loss", float(i), 1_700_000_000_000 + i, i) for i in range(s, s + 1000)],
        )
        if time.perf_counter() - t0 > 15:
            break
    f["t2_batch1000_points"] = s + 1000
    f["t2_batch1000_points_per_s"] = (s + 1000) / (time.perf_counter() - t0)
    out = []
    for _ in range(3):
        t0 = time.perf_counter()
        h = cl.get_metric_history(big.info.run_id, "loss")
        out.append(time.perf_counter() - t0)
    f["t4_history_points"], f["t4_history_s"] = len(h), statistics.median(out)
    # T5: small files and a large one
    os.makedirs("small", exist_ok=True)
    for i in range(300):
        open(f"small/{i}.txt", "w").write("x" * 100)
    with mlflow.start_run():
        t0 = time.perf_counter()
        for i in range(100):
            mlflow.log_artifact(f"small/{i}.txt")
        f["t5_log_artifact_files_per_s"] = 100 / (time.perf_counter() - t0)
        t0 = time.perf_counter()
        mlflow.log_artifacts("small")
        f["t5_log_artifacts_dir_files_per_s"] = 300 / (time.perf_counter() - t0)
        gb = 0.25
        with open("big.bin", "wb") as o:
            blk = os.urandom(1 << 24)
            for _ in range(int(gb * 64)):
                o.write(blk)
        t0 = time.perf_counter()
        mlflow.log_artifact("big.bin")
        f["t5_large_gib_per_s"] = gb / (time.perf_counter() - t0)
        os.remove("big.bin")
    # T7: registry
    cl.create_registered_model("m")
    t0 = time.perf_counter()
    n = 60
    for i in range(n):
        cl.create_model_version("m", source=big.info.artifact_uri, run_id=big.info.run_id)
    f["t7_register_per_s"] = n / (time.perf_counter() - t0)
    t0 = time.perf_counter()
    for i in range(1, n + 1):
        cl.set_registered_model_alias("m", "prod", i)
    f["t7_alias_per_s"] = n / (time.perf_counter() - t0)
    f["t7_resolve_alias_ms"] = (
        1000 * c.med(lambda: cl.get_model_version_by_alias("m", "prod"), 5)[0]
    )
    f["t7_list_versions_ms"] = (
        1000 * c.med(lambda: list(cl.search_model_versions("name='m'", max_results=200)), 5)[0]
    )


if __name__ == "__main__":
    main(sys.argv[1])
