"""Run every benchmark and its peers, and write what they said into RESULTS.md.

usage: python benchmarks/run_all.py [--peers FOLDER]
FOLDER holds one virtual environment per peer (prefect, dagster, metaflow, kedro); they are made
there with uv if they are missing. Without --peers the peers' lines of the last run are kept.
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
    "cold_start",
    "store_calls",
    "tracking",
    "search",
    "artifacts",
    "many_writers",
    "durability",
    "big_store",
    "verify_cost",
    "fairness",
    "drift",
    "false_alarms",
    "serving",
)
# Pins that install and run here: newer prefect asks for packages that are not offered yet.
PEERS = {
    "kedro": ["kedro"],
    "dagster": ["dagster==1.13.27"],
    "prefect": ["prefect==3.8.8", "fastapi<0.141"],
    "metaflow": ["metaflow"],
}
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
    " its server has recorded (about twice the time until it has)."
)
PEER_LINES = HERE / "peers" / "last.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    peers = parser.parse_args().peers
    figures = [line for script in SCRIPTS for line in measure(script)]
    if peers:
        lines = {name: measure_peer(peers, name, needs) for name, needs in PEERS.items()}
        PEER_LINES.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    known = json.loads(PEER_LINES.read_text(encoding="utf-8")) if PEER_LINES.exists() else {}
    (HERE / "RESULTS.md").write_text(render(figures, known), encoding="utf-8")


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


def measure_peer(folder: Path, name: str, needs: list[str]) -> dict:
    print(f"== peer {name}", file=sys.stderr, flush=True)
    home = folder / name
    if not home.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", str(home)], check=True)
        python = ["--python", str(home / "bin" / "python")]
        subprocess.run([*uv, "pip", "install", "-q", *python, *needs], check=True)
    done = subprocess.run(
        [str(home / "bin" / "python"), "-W", "ignore", f"peer_{name}.py"],
        cwd=HERE / "peers", capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"peer": name, "failed": done.stderr[-300:]}


def peer_cells(facts: dict) -> list[str]:
    """The peer's figures that stand beside F1 to F3; "-" where its script does not measure one."""
    cells = []
    for names, unit in PEER_COLUMNS:
        found = next((facts[name] for name in names if name in facts), None)
        cells.append("-" if found is None else f"{found:.3g} {unit}")
    return cells


def render(figures: list[dict], peers: dict) -> str:
    lines = [
        "# Figures measured",
        "",
        f"`make bench` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores (shared machine: read ratios and medians, not single times).",
        "",
        "| id | what | measured | goal | reached | load |",
        "|---|---|---|---|---|---|",
    ]
    for line in figures:
        reached = {True: "yes", False: "**no**", None: ""}[line.get("reached")]
        goal = "" if line["goal"] is None else f"{line['goal']:g} {line['unit']}"
        value = "failed" if line["value"] is None else f"{line['value']:g} {line['unit']}"
        lines.append(
            f"| {line['figure']} | {line['name']} | {value} | {goal} | {reached} | {line.get('load', '')} |"
        )
    if peers:
        lines += ["", "## Peers, same machine", "", PEER_HEAD]
        lines += [
            f"| {name} {facts.get('version', '')} | " + " | ".join(peer_cells(facts)) + " |"
            for name, facts in peers.items()
        ]
        lines += [
            "",
            "Every figure of the peers stands in `benchmarks/peers/last.json`.",
            PEER_NOTE,
        ]
    notes = HERE / "NOTES.md"
    if notes.exists():
        lines += ["", notes.read_text(encoding="utf-8").strip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
