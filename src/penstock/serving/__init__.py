"""ModelVersion -> predictions: deployments, traffic, rollouts, model server, prediction log."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.core import RolloutRules as RolloutRules
    from penstock.serving._app import create_app as create_app
    from penstock.serving._deploy import DeployedForm as DeployedForm
    from penstock.serving._deploy import deploy as deploy
    from penstock.serving._deploy import ensure_deployment as ensure_deployment
    from penstock.serving._deploy import stop_rollout as stop_rollout
    from penstock.serving._judging import judge_deployment as judge_deployment
    from penstock.serving._names import served_names as served_names
    from penstock.serving._prediction_log import PredictionLog as PredictionLog
    from penstock.serving._presence import Availability as Availability
    from penstock.serving._presence import availability as availability
    from penstock.serving._production import production_version as production_version
    from penstock.serving._rollout import RolloutController as RolloutController
    from penstock.serving._serve import serve as serve
    from penstock.serving._watch import rollout_outlook as rollout_outlook
    from penstock.serving.batch import BatchPrediction as BatchPrediction
    from penstock.serving.batch import RecordedBatch as RecordedBatch
    from penstock.serving.batch import get_batch as get_batch
    from penstock.serving.batch import list_batches as list_batches
    from penstock.serving.batch import predict as predict
    from penstock.serving.policies import Canary as Canary
    from penstock.serving.policies import TrafficPolicy as TrafficPolicy

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Availability": "_presence",
        "judge_deployment": "_judging",
        "BatchPrediction": "penstock.serving.batch",
        "RecordedBatch": "penstock.serving.batch",
        "get_batch": "penstock.serving.batch",
        "list_batches": "penstock.serving.batch",
        "predict": "penstock.serving.batch",
        "Canary": "penstock.serving.policies",
        "DeployedForm": "_deploy",
        "PredictionLog": "_prediction_log",
        "RolloutController": "_rollout",
        "RolloutRules": "penstock.core",
        "TrafficPolicy": "penstock.serving.policies",
        "availability": "_presence",
        "create_app": "_app",
        "deploy": "_deploy",
        "ensure_deployment": "_deploy",
        "production_version": "_production",
        "rollout_outlook": "_watch",
        "serve": "_serve",
        "served_names": "_names",
        "stop_rollout": "_deploy",
    },
)
