"""Findings as SARIF 2.1.0, the form in which code hosts show them beside the code."""

from collections.abc import Iterable, Sequence
from typing import Any

from penstock.notebooks._check import NotebookReport
from penstock.notebooks._finding import RULES, NotebookFinding

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def to_sarif(reports: Sequence[NotebookReport], version: str) -> dict[str, Any]:
    """Return reports as a SARIF 2.1.0 log.

    Args:
        reports: The reports.
        version: Version of penstock, for the head.
    """
    rules = [
        {
            "id": rule.code,
            "name": rule.title,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": rule.fix},
        }
        for rule in RULES.values()
    ]
    driver = {"name": "penstock notebook check", "version": version, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": list(_results(reports))}],
    }


def _results(reports: Iterable[NotebookReport]) -> Iterable[dict[str, Any]]:
    for report in reports:
        for found in report.findings:
            yield _result(report, found)


def _result(report: NotebookReport, found: NotebookFinding) -> dict[str, Any]:
    place = f"cell {found.cell}, line {found.line}" if found.cell else "the file"
    text = f"{place}: {found.message} {found.why} {found.repair}"
    region = {"startLine": 1} if not found.cell else {"startLine": found.line}
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": report.path.as_posix()},
            "region": region,
        },
        "logicalLocations": [{"name": place, "kind": "module"}],
    }
    result = {
        "ruleId": found.rule,
        "level": _LEVELS[found.level],
        "message": {"text": text},
        "locations": [location],
    }
    if found.suppressed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": found.suppressed}]
    return result
