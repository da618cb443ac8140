"""Run benchmarks and their peers, and write what they said into RESULTS.md.

RESULTS.md is written here and nowhere else, from results.json and peers/last.json; NOTES.md, which
it ends with, tells how figures came about and holds none.

usage: python benchmarks/run_all.py [--only SCRIPT,...] [--peers FOLDER [--which PEER,...]]
--only measures these again and keeps what is known of the others (results.json). FOLDER holds one
virtual environment per peer (prefect, mlflow, …); they are made there with uv if they are missing.
Without --peers the peers' lines of the last run are kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "steps",
    "side_by_side",
    "cold_start",
    "whole_job",
    "store_calls",
    "tracking",
    "search",
    "artifacts",
    "values",
    "sql_ingest",
    "large_table",
    "daily_snapshots",
    "point_in_time_join",
    "feature_consistency",
    "online_features",
    "feature_skew",
    "many_writers",
    "durability",
    "big_store",
    "verify_cost",
    "many_workers",
    "mlflow_protocol",
    "rest",
    "tuning",
    "fairness",
    "drift",
    "expectations",
    "false_alarms",
    "coverage",
    "differences",
    "rollouts",
    "serving",
    "batch_prediction",
)
# Pins that install and run here: newer prefect requires packages that are not available yet.
PEERS = {
    "kedro": ["kedro"],
    "dagster": ["dagster==1.13.27"],
    "prefect": ["prefect==3.8.8", "fastapi<0.141"],
    "metaflow": ["metaflow"],
    "mlflow": ["mlflow==3.17.2"],
    "wandb": ["wandb"],
    "trackio": ["trackio"],
    "aim": ["aim"],
}
# Further scripts of a peer, and their arguments.
ARGUMENTS = {"mlflow": (("mlflow", "local"), ("mlflow_search", "local"))}
TRACKING_COLUMNS = (
    (("t1_caller_per_s", "t1_caller_points_per_s", "t1_calls_per_s"), "calls/s"),
    (("t2_incl_finish_points_per_s", "t2_batch1000_points_per_s"), "points/s"),
    (("t3_search_20000_ms",), "ms"),
    (("t4_history_s",), "s"),
    (("t5_log_artifacts_dir_files_per_s", "t5_dir_add_files_per_s"), "files/s"),
    (("t5_large_gib_per_s",), "GiB/s"),
)
TRACKING_HEAD = (
    "| peer | log a value (F5) | points, all stored (F5) | search of 20,000 runs (F6) | history"
    " of 100,000 points (F7) | small files (F8) | a large file (F8) |\n"
    "|---|---|---|---|---|---|---|"
)
TRACKING = ("mlflow", "wandb", "trackio", "aim")
TRACKING_NOTE = (
    "mlflow in this process on SQLite; wandb offline, whose points are in a file and not in a store"
    " that can be searched; trackio and aim local. A value's call is durable against kill -9 with mlflow"
    " only, which commits each."
)
PEER_COLUMNS = (
    (("o1_sqlite_ms_per_step", "o1_ms_per_step"), "ms"),
    (("o3_cached_ms_per_step",), "ms"),
    (("o2_fan100_sqlite_s", "o2_fan100_s"), "s"),
    (("hello_s",), "s"),
    (("import_s",), "s"),
)
PEER_HEAD = (
    "| peer | step (F1) | cached step (F1) | 1 -> 100 -> 1 (F2) | cold process (F3) | import (F3) |\n"
    "|---|---|---|---|---|---|"
)
PEER_NOTE = (
    "Kedro runs in memory and records nothing; Dagster with its SQLite store; Prefect returns before"
    " its server has recorded, so its time for a step says little; its fan-out is nearer to what one"
    " waits for."
)
PEER_LINES = HERE / "peers" / "last.json"
RESULTS = HERE / "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--which", default=",".join(PEERS), help="peers")
    parser.add_argument("--only", default=",".join(SCRIPTS), help="scripts, or nothing")
    asked = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for script in filter(None, asked.only.split(",")):
        known[script] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "lines": measure(script)}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    peers = json.loads(PEER_LINES.read_text(encoding="utf-8")) if PEER_LINES.exists() else {}
    if asked.peers:
        for name in asked.which.split(","):
            peers[name] = measure_peer(asked.peers, name)
        PEER_LINES.write_text(json.dumps(peers, indent=1) + "\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(render(known, peers), encoding="utf-8")


def measure(script: str) -> list[dict]:
    path = HERE / f"{script}.py"
    if not path.exists():
        return []
    print(f"== {script}", file=sys.stderr, flush=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return [
            {"figure": "?", "name": f"{script} failed", "value": None, "unit": "", "goal": None}
        ]
    sys.stderr.write(done.stdout)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measure_peer(folder: Path, name: str) -> dict:
    home = folder / name
    if not home.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", str(home)], check=True)
        python = ["--python", str(home / "bin" / "python")]
        subprocess.run([*uv, "pip", "install", "-q", *python, *PEERS[name]], check=True)
    facts: dict = {"peer": name}
    for script, *words in ARGUMENTS.get(name, ((name,),)):
        print(f"== peer {script}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [str(home / "bin" / "python"), "-W", "ignore", f"peer_{script}.py", *words],
            cwd=HERE / "peers", capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        facts |= json.loads(lines[-1]) if lines else {f"{script} failed": done.stderr[-300:]}
    return {**facts, "peer": name}


def peer_cells(facts: dict, columns: tuple) -> list[str]:
    """Return the peer's figures for the columns; "-" where the peer's script measures none."""
    cells = []
    for names, unit in columns:
        found = next((facts[name] for name in names if name in facts), None)
        many = 100  # from there on decimals carry no information
        shown = None if found is None else f"{found:,.0f}" if found >= many else f"{found:.3g}"
        cells.append("-" if shown is None else f"{shown} {unit}")
    return cells


def render(known: dict, peers: dict) -> str:
    lines = [
        "# Figures measured",
        "",
        f"`make bench`, Python {platform.python_version()}, {os.cpu_count()} cores (shared machine: read ratios and medians, not single times; the load stands in each line).",
        "",
        "| id | what | measured | goal | reached | load | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for script in SCRIPTS:
        found = known.get(script, {"lines": []})
        lines += [row(line, line.get("date", found["date"])) for line in found["lines"]]
    lines += table("Peers, same machine", PEER_HEAD, peers, PEER_COLUMNS, PEER_NOTE)
    lines += table(
        "Peers of tracking, same machine", TRACKING_HEAD, peers, TRACKING_COLUMNS, TRACKING_NOTE
    )
    lines += ["", "## Commands", "", "| script | command |", "|---|---|"]
    lines += [
        f"| {script} | `python benchmarks/{script}.py` |" for script in SCRIPTS if script in known
    ]
    notes = HERE / "NOTES.md"
    if notes.exists():
        lines += ["", notes.read_text(encoding="utf-8").strip()]
    return "\n".join(lines) + "\n"


def row(line: dict, date: str) -> str:
    reached = {True: "yes", False: "**no**", None: ""}[line.get("reached")]
    goal = "" if line["goal"] is None else f"{line['goal']:g} {line['unit']}"
    value = "failed" if line["value"] is None else f"{line['value']:g} {line['unit']}"
    load = line.get("load", "")
    return f"| {line['figure']} | {line['name']} | {value} | {goal} | {reached} | {load} | {date} |"


def table(title: str, head: str, peers: dict, columns: tuple, note: str) -> list[str]:
    """Return the rows of the peers that measured any of these columns."""
    rows = [
        f"| {name} {facts.get('version', '')} | " + " | ".join(cells) + " |"
        for name, facts in peers.items()
        if (cells := peer_cells(facts, columns)) != ["-"] * len(columns)
        and (name in TRACKING) == (columns is TRACKING_COLUMNS)
    ]
    if not rows:
        return []
    told = "Every figure of the peers stands in `benchmarks/peers/last.json`."
    return ["", f"## {title}", "", head, *rows, "", told, note]


if __name__ == "__main__":
    main()
