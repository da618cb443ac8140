"""model_card: the recorded facts of a version, as Markdown; missing facts are listed as such.

Equal facts produce equal bytes: no clock, no set order, no locale.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.models._markdown import NOT_RECORDED, cell, number, table
from penstock.tables import Column, show_limit

_MAX_ROWS = 50  # rows per table; the stored report has all rows
_EMPTY: Mapping[str, Any] = {}


def model_card(
    version: Mapping[str, Any],
    report: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """Write a model card.

    >>> print(model_card({"model": "big-tips", "version": 1}).splitlines()[0])
    # Model card: big-tips, version 1

    Args:
        version: Facts of the version: ``model``, ``version``, ``created_at``, ``run_id``,
            ``trained_by``, ``content_digest``, ``signature`` (plain JSON), ``metrics``,
            ``gates`` (``gate``, ``state``, ``reason``), ``note`` (the intended use).
        report: ``EvaluationReport.to_json()``; None without a report.
        provenance: Facts of the run: ``data`` (a list of ``source``, ``rows``, ``first_time``,
            ``last_time``, ``ordered_digest``, ``order_free_digest``), ``commit``, ``branch``,
            ``dirty``, ``pipeline``, ``entry``, ``seed``, ``environment`` (``python``,
            ``platform``, ``packages``).

    Returns:
        Markdown that ends with a newline.
    """
    judged, made = report or _EMPTY, provenance or _EMPTY
    sections = (
        _head(version, judged),
        _section("Intended use", [_text(version.get("note"))]),
        _section("Data", _data(judged, made)),
        _section("Inputs", _inputs(version)),
        _section("Metrics", _metrics(version, judged)),
        _section("Slices", _slices(judged)),
        _section("Fairness", _fairness(judged)),
        _section("Calibration", _calibration(judged)),
        _section("Leakage", _leakage(judged)),
        _section("Gates", _gates(version)),
        _section("Provenance", _provenance(version, made)),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def refresh_card(
    card: str, version: Mapping[str, Any], approvals: Sequence[Mapping[str, Any]]
) -> str:
    """Update a card written at registration with the present stage, gates and approvals.

    A user's own card is returned unchanged.

    Args:
        card: The card as stored.
        version: ``model``, ``version``, ``stage`` and ``gates`` (``gate``, ``state``, ``reason``).
        approvals: Each with ``actor``, ``approved`` and ``reason``, oldest first.
    """
    # The last such headings are the card's own: the user's note may contain others.
    start, end = card.rfind("\n## Gates\n"), card.rfind("\n## Provenance\n")
    if not card.startswith(_title(version) + "\n") or not 0 <= start < end:
        return card
    said = table(
        ("Who", "Answer", "Reason"),
        (
            (each["actor"], "approved" if each["approved"] else "refused", each["reason"])
            for each in approvals
        ),
    )
    sections = (
        _section("Stage", [f"{version['stage']}, as the registry has it now."]),
        _section("Gates", _gates(version)),
        _section("Approvals", said),
    )
    now = "\n".join(line for section in sections for line in section)
    return f"{card[:start]}\n{now}{card[end + 1 :]}"


def _title(version: Mapping[str, Any]) -> str:
    return f"# Model card: {cell(version.get('model'))}, version {cell(version.get('version'))}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _text(value: Any) -> str:
    return str(value).strip() if value else NOT_RECORDED.capitalize() + "."


def _head(version: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    signature = version.get("signature") or _EMPTY
    classes = signature.get("classes") or report.get("classes") or ()
    facts = [
        ("Task", signature.get("task") or report.get("task")),
        ("Target", signature.get("target") or report.get("target")),
        ("Classes", ", ".join(str(label) for label in classes[:10]) if classes else None),
        ("Positive class", _first(report.get("positive", signature.get("positive")))),
        ("Registered", _time(version.get("created_at"))),
        ("Trained by", version.get("trained_by")),
    ]
    if signature.get("unsafe"):
        note = f"a pickle, loaded in an isolated process only: {signature['unsafe']}"
        facts.append(("Unsafe", note))
    # A regression has neither, and "not recorded" would look like a gap.
    if (signature.get("task") or report.get("task")) == "regression":
        facts = [fact for fact in facts if fact[0] not in {"Classes", "Positive class"}]
    return [_title(version), "", *table(("", ""), facts), ""]


def _data(report: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    sources = made.get("data") or ()
    lines = table(
        ("Source", "Rows", "First time", "Last time", "Digest in order", "Digest of the rows"),
        (
            (
                source.get("source"),
                source.get("rows"),
                _time(source.get("first_time")),
                _time(source.get("last_time")),
                source.get("ordered_digest"),
                source.get("order_free_digest"),
            )
            for source in sources
        ),
    )
    rows = report.get("rows") or _EMPTY
    subsets = [(name, rows.get(name)) for name in ("train", "validation", "test") if name in rows]
    return [*lines, "", *table(("Subset", "Rows"), subsets)] if subsets else lines


def _inputs(version: Mapping[str, Any]) -> list[str]:
    fields = (version.get("signature") or _EMPTY).get("inputs") or ()
    lines = table(
        ("Column", "Kind", "Type", "Training values", "May be missing"),
        (
            (field["name"], field["kind"], field["dtype"], _span(field), field.get("nullable"))
            for field in fields[:_MAX_ROWS]
        ),
    )
    more = len(fields) - _MAX_ROWS
    return [*lines, "", f"And {more} more columns."] if more > 0 else lines


def _span(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        column = Column.from_json(field)  # no thousands: 2,016 is no year
        return f"{show_limit(column, low)} to {show_limit(column, high)}"
    levels = field.get("levels")
    if not levels:
        return "-"
    return f"{len(levels)} categories: " + ", ".join(levels[:5]) + (", …" if levels[5:] else "")


def _metrics(version: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    metrics = report.get("metrics") or version.get("metrics") or _EMPTY
    baseline = report.get("baseline") or _EMPTY
    return table(
        ("Metric", "Value", "95 % interval", "Baseline"),
        (
            (name, _value(estimate), _interval(estimate), _value(baseline.get(name)))
            for name, estimate in metrics.items()
        ),
    )


def _slices(report: Mapping[str, Any]) -> list[str]:
    slices = report.get("slices") or _EMPTY
    if not slices:
        return table((), ())
    lines: list[str] = []
    for column, results in slices.items():
        names = list(dict.fromkeys(name for result in results for name in result["metrics"]))[:6]
        rows = [
            (
                result.get("value") if result.get("value") is not None else "(missing)",
                result.get("rows"),
                *(_value(result["metrics"].get(name)) for name in names),
            )
            for result in results[:_MAX_ROWS]
        ]
        lines += [f"### By {cell(column)}", "", *table((cell(column), "rows", *names), rows), ""]
    return lines[:-1]


def _fairness(report: Mapping[str, Any]) -> list[str]:
    fairness = report.get("fairness") or _EMPTY
    return table(
        ("Column", "Measure", "Value"),
        (
            (column, name.replace("_", " "), value)
            for column, measures in fairness.items()
            for name, value in _flat(measures)
        ),
    )


def _calibration(report: Mapping[str, Any]) -> list[str]:
    calibration = report.get("calibration") or _EMPTY
    plain = [
        (name.replace("_", " "), value)
        for name, value in calibration.items()
        if isinstance(value, int | float)
    ]
    return table(("Measure", "Value"), plain)


def _leakage(report: Mapping[str, Any]) -> list[str]:
    findings = report.get("leakage")
    if findings is None:
        return table((), ())
    if not findings:
        return ["Checked; nothing found."]
    return table(
        ("Level", "Rule", "Column", "Finding"),
        (
            (finding["level"], finding["rule"], finding.get("column") or "-", finding["message"])
            for finding in findings[:_MAX_ROWS]
        ),
    )


def _gates(version: Mapping[str, Any]) -> list[str]:
    gates: Sequence[Mapping[str, Any]] = version.get("gates") or ()
    return table(
        ("Gate", "Answer", "Reason"),
        ((gate["gate"], str(gate["state"]), gate["reason"]) for gate in gates),
    )


def _provenance(version: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    environment = made.get("environment") or _EMPTY
    packages = environment.get("packages")
    facts = [
        ("Run", version.get("run_id")),
        ("Pipeline", made.get("pipeline")),
        ("Started from", made.get("entry")),
        ("Seed", None if made.get("seed") is None else str(made["seed"])),
        ("Commit", made.get("commit")),
        ("Branch", made.get("branch")),
        ("Uncommitted changes", made.get("dirty") if made.get("commit") else None),
        ("Model digest", version.get("content_digest")),
        ("Python", environment.get("python")),
        ("Platform", environment.get("platform")),
        ("Packages", None if packages is None else f"{len(packages)} recorded with versions"),
    ]
    return table(("", ""), facts)


def _flat(measures: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    figures: list[tuple[str, float]] = []
    for name, value in measures.items():
        if isinstance(value, Mapping):
            figures += _flat(value, f"{prefix}{name} ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            figures.append((prefix + name, value))
    return figures


def _value(estimate: Any) -> Any:
    return estimate.get("value") if isinstance(estimate, Mapping) else estimate


def _interval(estimate: Any) -> str | None:
    if not isinstance(estimate, Mapping):
        return None
    if estimate.get("needs"):
        return f"none: {estimate['needs']}"
    low, high = estimate.get("low"), estimate.get("high")
    return None if low is None or high is None else f"{number(low)} to {number(high)}"


def _first(*values: Any) -> Any:
    return next((str(value) for value in values if value is not None), None)


def _time(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
