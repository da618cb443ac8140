"""MLflow's protocol on a store: an unmodified MLflow client comes in, penstock's facts come out."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.mlflow._app import mlflow_routes as mlflow_routes
    from penstock.server.mlflow._serve import create_mlflow as create_mlflow
    from penstock.server.mlflow._serve import mlflow_mounts as mlflow_mounts
    from penstock.server.mlflow._serve import serve_mlflow as serve_mlflow

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "create_mlflow": "_serve",
        "mlflow_mounts": "_serve",
        "mlflow_routes": "_app",
        "serve_mlflow": "_serve",
    },
)
