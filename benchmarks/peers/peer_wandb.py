"""W&B in offline mode: per-call log, ten metrics a step, files, time to finish."""

import os
import sys
import tempfile
import time

import common as c

WORK = tempfile.mkdtemp()
os.environ.update(
    WANDB_MODE="offline",
    WANDB_DIR=WORK,
    WANDB_SILENT="true",
    WANDB_DISABLE_GIT="true",
    WANDB_CACHE_DIR=WORK,
    WANDB_DATA_DIR=WORK,
    WANDB_CONFIG_DIR=WORK,
)


def main():
    os.chdir(WORK)
    f = {**c.env_facts("wandb"), "import_s": c.import_s("wandb")}
    import wandb

    t0 = time.perf_counter()
    run = wandb.init(project="bench")
    f["init_s"] = time.perf_counter() - t0
    n = 2_000
    t0 = time.perf_counter()
    for i in range(n):
        run.log({"loss": i * 0.5}, step=i)
    f["t1_caller_per_s"] = n / (time.perf_counter() - t0)
    run.finish()
    f["t1_incl_finish_per_s"] = n / (time.perf_counter() - t0)
    run = wandb.init(project="bench")
    n = 1_000
    t0 = time.perf_counter()
    for i in range(n):
        run.log({f"m{k}": i + k / 10 for k in range(10)}, step=i)
    f["t2_caller_points_per_s"] = 10 * n / (time.perf_counter() - t0)
    run.finish()
    f["t2_incl_finish_points_per_s"] = 10 * n / (time.perf_counter() - t0)
    os.makedirs("small")
    for i in range(300):
        open(f"small/{i}.txt", "w").write("x" * 100 + str(i))
    with open("big.bin", "wb") as o:
        blk = os.urandom(1 << 24)
        for _ in range(16):
            o.write(blk)
    run = wandb.init(project="bench")
    a = wandb.Artifact("files", type="data")
    t0 = time.perf_counter()
    a.add_dir("small")
    run.log_artifact(a)
    f["t5_dir_add_files_per_s"] = 300 / (time.perf_counter() - t0)
    b = wandb.Artifact("big", type="data")
    t0 = time.perf_counter()
    b.add_file("big.bin")
    run.log_artifact(b)
    f["t5_large_gib_per_s"] = 0.25 / (time.perf_counter() - t0)
    run.finish()
    f["t5_256mib_incl_finish_s"] = time.perf_counter() - t0
    t0 = time.perf_counter()
    for i in range(2):
        r = wandb.init(
            project="bench",
            config={f"p{k}": i for k in range(10)},
            tags=[f"t{k}" for k in range(5)],
        )
        r.log({f"m{k}": 0.1 for k in range(10)})
        r.finish()
    f["t3_create_runs_per_s"] = 2 / (time.perf_counter() - t0)
    c.report("wandb-offline", f)


if __name__ == "__main__":
    main()
