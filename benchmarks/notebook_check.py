"""How often `penstock notebook check` is right about undefined names (NB2), beside an execution from top to bottom.

Every notebook is executed in a fresh IPython (execute_cells.py), and mutants of those that run without an error too: a cell
deleted, moved to the end, exchanged with the next, or a name renamed in one cell.

    python benchmarks/notebook_check.py                      # notebooks drawn from templates
    python benchmarks/notebook_check.py --python PY FOLDER…  # notebooks of yours, with what PY has installed

The notebooks are executed as they are: run this without a network and as a user who may do no harm.
"""

import argparse
import ast
import collections
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.notebooks.corpus import names_notebook, write_notebook
from tests.notebooks.promotable import NOTEBOOKS

from penstock.notebooks import check_notebook, find_notebooks
from penstock.notebooks._document import read_notebook

DRAWN = 150
_EXECUTE = Path(__file__).with_name("execute_cells.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that executes")
    parser.add_argument("--mutants", type=int, default=4, help="mutants of each notebook")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a notebook")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = find_notebooks(arguments.paths) if arguments.paths else _drawn(Path(folder))
        jobs = [_job(path, path.parent, arguments.timeout) for path in paths]
        outcomes = _executed(jobs, arguments.python)
        _tell("notebooks", jobs, outcomes)
        mutants = [
            _job(mutant, Path(job["cwd"]), arguments.timeout)
            for job in jobs
            if _ran(outcomes[job["id"]])
            for mutant in _mutants(job, Path(folder), arguments.mutants)
        ]
        _tell("mutants", mutants, _executed(mutants, arguments.python))


def _drawn(folder: Path) -> list[Path]:
    cells = {name: cells for name, (cells, _) in NOTEBOOKS.items()}
    cells |= {f"names{seed}": names_notebook(seed) for seed in range(DRAWN)}
    return [write_notebook(folder / f"{name}.ipynb", *each) for name, each in cells.items()]


def _job(path: Path, cwd: Path, timeout_s: float) -> dict:
    cells = [[cell.index, cell.source] for cell in read_notebook(path).code_cells]
    return {"id": str(path), "cwd": str(cwd.resolve()), "cells": cells, "timeout_s": timeout_s}


def _executed(jobs: list[dict], python: str) -> dict[str, dict]:
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    done = subprocess.run(
        [python, _EXECUTE], input=lines, stdout=subprocess.PIPE, text=True, check=True
    )
    return {each["id"]: each for each in map(json.loads, done.stdout.splitlines())}


def _ran(outcome: dict) -> bool:
    return not outcome["is_late"] and all(error is None for _, error, _ in outcome["cells"])


def _mutants(job: dict, folder: Path, count: int) -> list[Path]:
    """Write mutants of a notebook: each differs in one cell or in the places of two."""
    draw, cells = random.Random(job["id"]), [source for _, source in job["cells"]]
    kinds = [_deleted, _moved, _exchanged, _renamed]
    written = []
    for place in range(count if len(cells) > 1 else 0):
        mutant = kinds[place % len(kinds)](draw, list(cells))
        file = folder / f"{abs(hash(job['id']))}-{place}-{Path(job['id']).name}"
        written.append(write_notebook(file, *(each.replace("#md", "# md") for each in mutant)))
    return written


def _deleted(draw: random.Random, cells: list[str]) -> list[str]:
    del cells[draw.randrange(len(cells))]
    return cells


def _moved(draw: random.Random, cells: list[str]) -> list[str]:
    cells.append(cells.pop(draw.randrange(len(cells) - 1)))
    return cells


def _exchanged(draw: random.Random, cells: list[str]) -> list[str]:
    place = draw.randrange(len(cells) - 1)
    cells[place], cells[place + 1] = cells[place + 1], cells[place]
    return cells


def _renamed(draw: random.Random, cells: list[str]) -> list[str]:
    bindings = [(place, name) for place, text in enumerate(cells) for name in sorted(_bound(text))]
    if not bindings:
        return cells
    place, name = draw.choice(bindings)
    cells[place] = re.sub(rf"\b{re.escape(name)}\b", f"{name}_renamed", cells[place])
    return cells


def _bound(text: str) -> set[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return set()
    stored = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored | {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def _tell(kind: str, jobs: list[dict], outcomes: dict[str, dict]) -> None:
    counts: collections.Counter = collections.Counter()
    for job in jobs:
        _compare(job, outcomes[job["id"]], counts)
    print(f"{kind}: {len(jobs)}")
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")


def _compare(job: dict, outcome: dict, counts: collections.Counter) -> None:
    """Compare the execution up to the first error with what the check says of the cells until there."""
    counts["executed to the end"] += _ran(outcome)
    counts["stopped by the clock"] += outcome["is_late"]
    findings = [each for each in check_notebook(Path(job["id"])).findings if each.rule == "NB2"]
    cells = outcome["cells"]
    place, error, name = cells[-1] if cells else (0, None, "")
    stop = (place, name) if error == "NameError" else None
    if stop:
        said = [each for each in findings if each.name == name and each.cell <= place]
        level = said[0].level if said else "not found"
        counts[f"NameErrors, {level if said else 'NOT FOUND'}"] += 1
        if not said:
            print(f"NOT FOUND {job['id']} cell {place}: {name}\n{dict(job['cells'])[place][:300]}")
    elif error is not None:
        counts["stopped by another error"] += 1
    finished = {each for each, failed, _ in cells if failed is None}
    for each in findings:
        if each.level != "error":
            continue
        if each.cell in finished:
            counts["NB2 errors, FALSE"] += 1
            print(f"FALSE {job['id']} cell {each.cell}: {each.message}")
            print(dict(job["cells"])[each.cell][:300])
        elif (each.cell, each.name) == stop:
            counts["NB2 errors, true"] += 1
        else:
            counts["NB2 errors, not reached"] += 1


if __name__ == "__main__":
    main()
