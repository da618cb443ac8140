"""Moving in from MLflow and out again: databases, folders and servers."""

from penstock.server.mlflow._model_folder import write_model_folder
from penstock.server.mlflow.moving._exporting import ExportSummary, export_runs
from penstock.server.mlflow.moving._importing import ImportSummary, import_mlflow

__all__ = ["ExportSummary", "ImportSummary", "export_runs", "import_mlflow", "write_model_folder"]
