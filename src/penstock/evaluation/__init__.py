"""Evaluation of a model on unseen rows: metrics, slices, fairness, comparison, gates."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.evaluation._calibration import Calibration as Calibration
    from penstock.evaluation._comparison import Comparison as Comparison
    from penstock.evaluation._comparison import Difference as Difference
    from penstock.evaluation._comparison import compare as compare
    from penstock.evaluation._cross_validation import CrossValidation as CrossValidation
    from penstock.evaluation._cross_validation import FoldScore as FoldScore
    from penstock.evaluation._evaluate import evaluate as evaluate
    from penstock.evaluation._evaluate import measure_model as measure_model
    from penstock.evaluation._fairness import GroupCounts as GroupCounts
    from penstock.evaluation._fairness import count_groups as count_groups
    from penstock.evaluation._fairness import parity as parity
    from penstock.evaluation._gate_grammar import parse_gate as parse_gate
    from penstock.evaluation._gate_terms import Gate as Gate
    from penstock.evaluation._gates import judge as judge
    from penstock.evaluation._importance import ColumnImportance as ColumnImportance
    from penstock.evaluation._importance import Importances as Importances
    from penstock.evaluation._measuring import Measured as Measured
    from penstock.evaluation._measuring import measure as measure
    from penstock.evaluation._metrics import METRICS as METRICS
    from penstock.evaluation._metrics import TASK_METRICS as TASK_METRICS
    from penstock.evaluation._metrics import Estimate as Estimate
    from penstock.evaluation._metrics import Metric as Metric
    from penstock.evaluation._metrics import format_figure as format_figure
    from penstock.evaluation._outcomes import Outcomes as Outcomes
    from penstock.evaluation._prediction import ScoredRows as ScoredRows
    from penstock.evaluation._prediction import align as align
    from penstock.evaluation._prediction import as_model as as_model
    from penstock.evaluation._prediction import predict_with as predict_with
    from penstock.evaluation._quantile_forecasts import quantile_metrics as quantile_metrics
    from penstock.evaluation._quantile_forecasts import target_names as target_names
    from penstock.evaluation._ready_metrics import coverage as coverage
    from penstock.evaluation._ready_metrics import mean_average_precision as mean_average_precision
    from penstock.evaluation._ready_metrics import mean_reciprocal_rank as mean_reciprocal_rank
    from penstock.evaluation._ready_metrics import ndcg as ndcg
    from penstock.evaluation._ready_metrics import pinball as pinball
    from penstock.evaluation._report import EvaluationReport as EvaluationReport
    from penstock.evaluation._report import Holdout as Holdout
    from penstock.evaluation._scaled_errors import mase as mase
    from penstock.evaluation._slices import SliceResult as SliceResult
    from penstock.evaluation._slices import Slicing as Slicing
    from penstock.evaluation._slices import cut_column as cut_column
    from penstock.evaluation._slices import spread as spread
    from penstock.evaluation._trained_on import TrainedOn as TrainedOn
    from penstock.evaluation._user_metrics import UserMetric as UserMetric
    from penstock.evaluation._user_metrics import metric as metric
    from penstock.evaluation.intervals import FEWEST_EVENTS as FEWEST_EVENTS
    from penstock.evaluation.intervals import FEWEST_NUMBERS as FEWEST_NUMBERS
    from penstock.evaluation.intervals import FEWEST_WEIGHTY as FEWEST_WEIGHTY

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "FEWEST_EVENTS": "penstock.evaluation.intervals",
        "FEWEST_NUMBERS": "penstock.evaluation.intervals",
        "FEWEST_WEIGHTY": "penstock.evaluation.intervals",
        "CrossValidation": "_cross_validation",
        "mase": "_scaled_errors",
        "quantile_metrics": "_quantile_forecasts",
        "target_names": "_quantile_forecasts",
        "FoldScore": "_cross_validation",
        "METRICS": "_metrics",
        "TASK_METRICS": "_metrics",
        "Calibration": "_calibration",
        "ColumnImportance": "_importance",
        "Comparison": "_comparison",
        "Difference": "_comparison",
        "Estimate": "_metrics",
        "EvaluationReport": "_report",
        "Gate": "_gate_terms",
        "GroupCounts": "_fairness",
        "Holdout": "_report",
        "Importances": "_importance",
        "Measured": "_measuring",
        "Metric": "_metrics",
        "Outcomes": "_outcomes",
        "ScoredRows": "_prediction",
        "SliceResult": "_slices",
        "Slicing": "_slices",
        "TrainedOn": "_trained_on",
        "UserMetric": "_user_metrics",
        "align": "_prediction",
        "as_model": "_prediction",
        "compare": "_comparison",
        "ndcg": "_ready_metrics",
        "mean_average_precision": "_ready_metrics",
        "mean_reciprocal_rank": "_ready_metrics",
        "pinball": "_ready_metrics",
        "coverage": "_ready_metrics",
        "count_groups": "_fairness",
        "cut_column": "_slices",
        "evaluate": "_evaluate",
        "format_figure": "_metrics",
        "judge": "_gates",
        "measure": "_measuring",
        "measure_model": "_evaluate",
        "metric": "_user_metrics",
        "parity": "_fairness",
        "parse_gate": "_gate_grammar",
        "predict_with": "_prediction",
        "spread": "_slices",
    },
)
