"""MLflow search_runs over many runs. The runs are inserted in bulk with SQL and then checked through
MLflow itself. Argument: `local` or `server` (HTTP 127.0.0.1)."""

import logging
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import uuid

import common as c
import peer_mlflow as pm

logging.disable(logging.CRITICAL)


def fill(db_path, exp, lo, hi):
    rnd = random.Random(lo)
    db = sqlite3.connect(db_path)
    runs, params, metrics, tags = [], [], [], []
    for i in range(lo, hi):
        u = uuid.UUID(int=rnd.getrandbits(128)).hex
        t = 1_700_000_000_000 + i
        runs.append(
            (
                u,
                f"r{i}",
                "LOCAL",
                "",
                "",
                "bench",
                "FINISHED",
                t,
                t + 5,
                "",
                "active",
                f"file:{u}",
                exp,
            )
        )
        params += [(f"p{k}", str(rnd.randrange(10)), u) for k in range(10)]
        metrics += [(f"m{k}", rnd.random(), t, u, 0, 0) for k in range(10)]
        tags += [(f"t{k}", str(rnd.randrange(5)), u) for k in range(5)]
        tags.append(("mlflow.runName", f"r{i}", u))
    db.executemany(
        "insert into runs (run_uuid,name,source_type,source_name,entry_point_name,user_id,status,"
        "start_time,end_time,source_version,lifecycle_stage,artifact_uri,experiment_id) "
        "values (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        runs,
    )
    db.executemany("insert into params (key,value,run_uuid) values (?,?,?)", params)
    db.executemany(
        "insert into metrics (key,value,timestamp,run_uuid,step,is_nan) values (?,?,?,?,?,?)",
        metrics,
    )
    db.executemany(
        "insert into latest_metrics (key,value,timestamp,run_uuid,step,is_nan) values (?,?,?,?,?,?)",
        metrics,
    )
    db.executemany("insert into tags (key,value,run_uuid) values (?,?,?)", tags)
    db.commit()
    db.close()


def main(mode):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp()
    os.chdir(work)
    f = {"mode": mode}
    server = None
    if mode == "server":
        server, uri, _ = pm.start_server(work)
    else:
        uri = f"sqlite:///{work}/s.db"
    try:
        import mlflow
        from mlflow.tracking import MlflowClient

        mlflow.set_tracking_uri(uri)
        exp = mlflow.set_experiment("bench").experiment_id
        cl = MlflowClient()
        # how fast the public API creates such runs
        from mlflow.entities import Metric, Param, RunTag

        t0 = time.perf_counter()
        for i in range(30):
            r = cl.create_run(exp)
            cl.log_batch(
                r.info.run_id,
                [Metric(f"m{k}", 0.1, 1, 0) for k in range(10)],
                [Param(f"p{k}", "1") for k in range(10)],
                [RunTag(f"t{k}", "1") for k in range(5)],
            )
            cl.set_terminated(r.info.run_id)
        f["t3_create_runs_per_s"] = 30 / (time.perf_counter() - t0)
        for r in cl.search_runs([exp], max_results=100):
            cl.delete_run(r.info.run_id)
        done = 0
        for total in (2_000, 20_000):
            fill(f"{work}/s.db", int(exp), done, total)
            done = total
            res = cl.search_runs(
                [exp], "params.p0 = '3'", order_by=["metrics.m0 DESC"], max_results=100
            )
            assert (
                len(res) == 100 and len(res[0].data.params) == 10 and len(res[0].data.metrics) == 10
            )
            assert all(a.data.metrics["m0"] >= b.data.metrics["m0"] for a, b in zip(res, res[1:]))
            f[f"t3_search_{total}_ms"] = (
                1000
                * c.med(
                    lambda: cl.search_runs(
                        [exp], "params.p0 = '3'", order_by=["metrics.m0 DESC"], max_results=100
                    ),
                    5,
                )[0]
            )
            f[f"t3_search2_{total}_ms"] = (
                1000
                * c.med(
                    lambda: cl.search_runs(
                        [exp],
                        "params.p0 = '3' and metrics.m1 > 0.5 and tags.t0 = '1'",
                        order_by=["metrics.m0 DESC"],
                        max_results=100,
                    ),
                    5,
                )[0]
            )
            f[f"t3_newest100_{total}_ms"] = (
                1000 * c.med(lambda: cl.search_runs([exp], max_results=100), 5)[0]
            )
    finally:
        if server:
            pm.stop(server)
    c.report("mlflow-search", f)


if __name__ == "__main__":
    main(sys.argv[1])
