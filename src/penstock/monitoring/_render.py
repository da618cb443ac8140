"""A DriftReport as Markdown and as an HTML page; apart from the report's content."""

import html

from penstock.monitoring._column_drift import ColumnDrift
from penstock.monitoring._feature_skew import FeatureSkew
from penstock.monitoring._report import DriftReport

_NAMES = {"w1": "W1/scale", "tvd": "TVD"}
_HEADINGS = ("column", "kind", "distance", "value [95 %]", "p (adjusted)", "missing", "verdict")
_SKEW = "Features compared with their histories"
_SKEW_HEADINGS = ("feature", "rows", "mismatches", "share [95 %]", "causes")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#111827;max-width:1080px;margin:2rem auto;
padding:0 1rem}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e5e7eb;vertical-align:top}
th{color:#6b7280;font-weight:600}
tr.drifted td:first-child{border-left:3px solid #dc2626}
.verdict{font-size:17px;padding:.7rem 1rem;border-left:4px solid #16a34a;background:#f9fafb}
.verdict.bad{border-color:#dc2626}
"""


def render_markdown(report: DriftReport) -> str:
    """Render a report as Markdown.

    Args:
        report: The drift report.
    """
    lines = [f"# {_title(report)}", "", f"**{report.headline}**", "", _window(report), ""]
    for heading, columns in _sections(report):
        lines += [
            f"## {heading}",
            "",
            f"| {' | '.join(_HEADINGS)} |",
            "|" + "---|" * len(_HEADINGS),
        ]
        lines += [f"| {' | '.join(map(_escaped, _cells(each)))} |" for each in columns]
        lines.append("")
    if report.skew:
        lines += [f"## {_SKEW}", "", f"| {' | '.join(_SKEW_HEADINGS)} |"]
        lines.append("|" + "---|" * len(_SKEW_HEADINGS))
        lines += [f"| {' | '.join(map(_escaped, _skew_cells(each)))} |" for each in report.skew]
        lines.append("")
    lines += ["## Performance", "", report.performance.reason, ""]
    if report.performance.metrics:
        lines += ["| metric | now | at registration |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in _metric_rows(report)]
        lines.append("")
    return "\n".join(lines)


def render_html(report: DriftReport) -> str:
    """Render a report as an HTML page with pictures, with plotly's script embedded.

    Args:
        report: The drift report.
    """
    import plotly.io

    parts = [f"<h1>{_text(_title(report))}</h1>"]
    bad = " bad" if report.drifted else ""
    parts.append(f'<p class="verdict{bad}">{_text(report.headline)}</p>')
    parts.append(f"<p>{_text(_window(report))}</p>")
    for place, figure in enumerate(report.figures().values()):
        parts.append(
            plotly.io.to_html(
                figure,
                full_html=False,
                # The script is embedded once for all pictures.
                include_plotlyjs="inline" if place == 0 else False,
                div_id=f"figure-{place}",
            )
        )
    for heading, columns in _sections(report):
        parts.append(f"<h2>{_text(heading)}</h2>")
        rows = [(_cells(each), "drifted" if each.drifted else "") for each in columns]
        parts.append(_table(_HEADINGS, rows))
    if report.skew:
        rows = [(_skew_cells(each), "drifted" if each.is_alarm else "") for each in report.skew]
        parts += [f"<h2>{_SKEW}</h2>", _table(_SKEW_HEADINGS, rows)]
    parts.append(f"<h2>Performance</h2><p>{_text(report.performance.reason)}</p>")
    if report.performance.metrics:
        metric_rows = [(row, "") for row in _metric_rows(report)]
        parts.append(_table(("metric", "now", "at registration"), metric_rows))
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{_text(_title(report))}</title><style>{_STYLE}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def _title(report: DriftReport) -> str:
    return f"{report.deployment}: {report.model}@{report.version} against its training data"


def _window(report: DriftReport) -> str:
    span = f"{report.since} to {report.until}" if report.rows else "no time"
    return f"{report.rows:,} rows, {span}; the model failed on {report.errors:,} more."


def _sections(report: DriftReport) -> list[tuple[str, list[ColumnDrift]]]:
    # Drifted columns are listed first; the rest keeps the order of training.
    sections = []
    for heading, columns in (("Predictions", report.predictions), ("Features", report.columns)):
        if columns:
            sections.append((heading, sorted(columns, key=lambda each: not each.drifted)))
    return sections


def _cells(drift: ColumnDrift) -> list[str]:
    then, now = drift.missing
    missing = f"{then:.1%} → {now:.1%}" if then or now else "none"
    check = drift.main
    if check is None:
        return [drift.column, drift.kind, "", "", "", missing, drift.reason]
    effect = check.effect
    return [
        drift.column,
        drift.kind,
        _NAMES.get(check.statistic, check.statistic),
        f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]",
        f"{check.p_adjusted:.2g}",
        missing,
        drift.reason,
    ]


def _skew_cells(skew: FeatureSkew) -> list[str]:
    causes = ", ".join(f"{cause} {count:,}" for cause, count in skew.causes.items())
    share = f"{skew.share:.2%} [{skew.low:.2%}, {skew.high:.2%}]"
    return [skew.subject, f"{skew.rows:,}", f"{skew.mismatches:,}", share, causes or "none"]


def _metric_rows(report: DriftReport) -> list[list[str]]:
    performance = report.performance
    return [
        [name, str(value), str(performance.registered.get(name, "not recorded"))]
        for name, value in performance.metrics.items()
    ]


def _table(headings: tuple[str, ...], rows: list[tuple[list[str], str]]) -> str:
    head = "".join(f"<th>{_text(each)}</th>" for each in headings)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        for cells, kind in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: str) -> str:
    return html.escape(value)


def _escaped(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
