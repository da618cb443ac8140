"""Kinds of documents that belong to logged models."""

LOGGED = "mlflow.logged_model"
MODEL_METRIC = "mlflow.model_metric"
