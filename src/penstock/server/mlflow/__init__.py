"""MLflow's protocol on a store: an unmodified MLflow client comes in, penstock's facts come out."""

from penstock.server.mlflow._app import mlflow_router
from penstock.server.mlflow._serve import create_mlflow, mlflow_mounts, serve_mlflow

__all__ = ["create_mlflow", "mlflow_mounts", "mlflow_router", "serve_mlflow"]
