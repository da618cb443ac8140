"""A function is found again elsewhere by its place, and refused where its code has changed."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from penstock.evaluation._user_functions import find_metric, remember
from penstock.evaluation._user_metrics import UserMetric


def double(truth, prediction):
    return 2.0 * (truth == prediction)


def test_in_the_same_process_the_live_function_is_found():
    facts = remember(UserMetric("hits", lambda t, p: t == p, "lower"))
    found = find_metric(facts)
    assert isinstance(found, UserMetric)
    assert found.better == "lower"
    assert facts["function"].endswith("<lambda>")


def test_a_function_whose_code_is_another_one_is_refused():
    facts = {**remember(UserMetric("double", double)), "code": "sha256:other"}
    assert "is not the code that judged the report" in str(find_metric(facts))
    assert "is not found" in str(find_metric({**facts, "function": "triple"}))


@pytest.mark.parametrize("changed", [False, True])
def test_another_process_finds_the_function_in_the_projects_file(tmp_path, changed):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    file = tmp_path / "money.py"
    file.write_text("def profit(truth, prediction):\n    return 3.0 * (truth == prediction)\n")
    first = dedent("""
        import json, money
        from penstock.evaluation._user_functions import remember
        from penstock.evaluation._user_metrics import UserMetric
        print(json.dumps({**remember(UserMetric("profit", money.profit)), "module": "__main__"}))
    """)
    second = dedent("""
        import json, sys
        from penstock.evaluation._user_functions import find_metric
        print(find_metric(json.loads(sys.argv[1])))
    """)
    facts = _run(tmp_path, first)
    if changed:
        file.write_text(file.read_text().replace("3.0", "4.0"))
    said = _run(tmp_path, second, facts)
    assert ("UserMetric(name='profit'" in said) is not changed
    assert ("money.py is not the code that judged the report" in said) is changed


def _run(folder: Path, script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
