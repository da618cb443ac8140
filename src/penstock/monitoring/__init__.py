"""PredictionLog -> DriftReport -> Alert -> Trigger: is the deployed model still good?"""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.monitoring._column_drift import Check as Check
    from penstock.monitoring._column_drift import ColumnDrift as ColumnDrift
    from penstock.monitoring._drift import check_drift as check_drift
    from penstock.monitoring._drift import compare_snapshots as compare_snapshots
    from penstock.monitoring._drift import compare_table as compare_table
    from penstock.monitoring._drift import training_profile as training_profile
    from penstock.monitoring._feature_skew import FeatureSkew as FeatureSkew
    from penstock.monitoring._limits import Limits as Limits
    from penstock.monitoring._monitor import Monitor as Monitor
    from penstock.monitoring._performance import Performance as Performance
    from penstock.monitoring._render import render_html as render_html
    from penstock.monitoring._render import render_markdown as render_markdown
    from penstock.monitoring._report import DriftReport as DriftReport
    from penstock.monitoring._skew import check_skew as check_skew
    from penstock.monitoring._skew import compare_served as compare_served
    from penstock.monitoring._trigger import Trigger as Trigger
    from penstock.monitoring._trigger import TriggerDecision as TriggerDecision
    from penstock.monitoring._trigger import start_pipeline as start_pipeline
    from penstock.monitoring._verdicts import judge_columns as judge_columns
    from penstock.monitoring._window import EVERYTHING as EVERYTHING

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "FeatureSkew": "_feature_skew",
        "check_skew": "_skew",
        "compare_served": "_skew",
        "Check": "_column_drift",
        "ColumnDrift": "_column_drift",
        "TriggerDecision": "_trigger",
        "DriftReport": "_report",
        "EVERYTHING": "_window",
        "Limits": "_limits",
        "Monitor": "_monitor",
        "Performance": "_performance",
        "Trigger": "_trigger",
        "check_drift": "_drift",
        "compare_snapshots": "_drift",
        "compare_table": "_drift",
        "judge_columns": "_verdicts",
        "render_html": "_render",
        "render_markdown": "_render",
        "start_pipeline": "_trigger",
        "training_profile": "_drift",
    },
)
