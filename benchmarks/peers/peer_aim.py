"""Aim, local repository: per-call log and ten metrics a step, including close."""

import os
import tempfile
import time

import common as c

WORK = tempfile.mkdtemp()


def main():
    os.chdir(WORK)
    f = {**c.env_facts("aim"), "import_s": c.import_s("aim")}
    import aim

    t0 = time.perf_counter()
    run = aim.Run(repo=WORK, system_tracking_interval=None, log_system_params=False)
    f["init_s"] = time.perf_counter() - t0
    n, cap = 10_000, 8
    t0 = time.perf_counter()
    for i in range(n):
        run.track(i * 0.5, name="loss", step=i)
        if time.perf_counter() - t0 > cap:
            break
    f["t1_caller_per_s"] = (i + 1) / (time.perf_counter() - t0)
    run.close()
    f["t1_incl_finish_per_s"] = (i + 1) / (time.perf_counter() - t0)
    run = aim.Run(repo=WORK, system_tracking_interval=None, log_system_params=False)
    t0 = time.perf_counter()
    for i in range(2_000):
        run.track({f"m{k}": i + k / 10 for k in range(10)}, step=i)
        if time.perf_counter() - t0 > cap:
            break
    run.close()
    f["t2_incl_finish_points_per_s"] = 10 * (i + 1) / (time.perf_counter() - t0)
    c.report("aim", f)


if __name__ == "__main__":
    main()
