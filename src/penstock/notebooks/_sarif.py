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
        for finding in report.findings:
            yield _result(report, finding)


def _result(report: NotebookReport, finding: NotebookFinding) -> dict[str, Any]:
    place = f"cell {finding.cell}, line {finding.line}" if finding.cell else "the file"
    text = f"{place}: {finding.message} {finding.why} {finding.repair}"
    region = {"startLine": 1} if not finding.cell else {"startLine": finding.line}
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": report.path.as_posix()},
            "region": region,
        },
        "logicalLocations": [{"name": place, "kind": "module"}],
    }
    result = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [location],
    }
    if finding.suppressed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.suppressed}]
    return result
