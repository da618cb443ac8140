"""Moving in from MLflow and out again: databases, folders and servers."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.mlflow._model_folder import write_model_folder as write_model_folder
    from penstock.server.mlflow.moving._exporting import export_runs as export_runs
    from penstock.server.mlflow.moving._importing import import_mlflow as import_mlflow
    from penstock.server.mlflow.moving._importing_runs import ImportSummary as ImportSummary

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ImportSummary": "_importing_runs",
        "export_runs": "_exporting",
        "import_mlflow": "_importing",
        "write_model_folder": "penstock.server.mlflow._model_folder",
    },
)
