"""Prefect with its automatic local API server and an empty home: chains, fan-out, cached re-run."""

import os
import sys
import tempfile
import time

import common as c

os.environ.update(
    PREFECT_HOME=tempfile.mkdtemp(),
    PREFECT_LOGGING_LEVEL="CRITICAL",
    PREFECT_SERVER_LOGGING_LEVEL="CRITICAL",
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    # the default (20 s) is not enough on a busy two-core machine
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="70",
)


def main():
    f = {**c.env_facts("prefect"), "import_s": c.import_s("prefect")}
    from prefect import flow, task
    from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE

    @task(cache_policy=NO_CACHE)
    def add(x):
        return x + 1

    @task(cache_policy=TASK_SOURCE + INPUTS, persist_result=True)
    def cached(x):
        return x + 1

    @task(cache_policy=NO_CACHE)
    def total(xs):
        return sum(xs)

    @flow
    def chain(n, t):
        v = 0
        for _ in range(n):
            v = t(v)
        return v

    @flow
    def fan(n):
        return total.submit([add.submit(i) for i in range(n)]).result()

    t0 = time.perf_counter()
    chain(1, add)
    f["first_flow_incl_server_s"] = time.perf_counter() - t0
    t = {n: c.med(lambda: chain(n, add)) for n in (20, 200)}
    c.slopes(t, f, 20, 200)
    f["o2_fan100_s"] = c.timed(lambda: fan(100))[0]
    chain(100, cached)
    t = {n: c.med(lambda: chain(n, cached)) for n in (20, 100)}
    c.slopes(t, f, 20, 100, "o3_cached")
    hello = (
        "from prefect import flow, task\n@task\ndef a(): return 1\n@flow\ndef h(): return a()\nh()"
    )
    f["hello_s"], f["hello_cpu_s"] = c.process_s([sys.executable, "-c", hello], 1)
    c.report("prefect", f)


if __name__ == "__main__":
    main()
