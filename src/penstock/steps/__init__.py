"""Ready-made steps for each stage of an ML pipeline: the glue between the packages below."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.steps._cross_validate import cross_validate as cross_validate
    from penstock.steps._deploy import deploy as deploy
    from penstock.steps._evaluate import evaluate as evaluate
    from penstock.steps._findings import list_findings as list_findings
    from penstock.steps._ingest import ingest as ingest
    from penstock.steps._join_features import join_features as join_features
    from penstock.steps._notebook import notebook as notebook
    from penstock.steps._predict import predict as predict
    from penstock.steps._register import register as register
    from penstock.steps._split import split as split

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "cross_validate": "_cross_validate",
        "deploy": "_deploy",
        "evaluate": "_evaluate",
        "ingest": "_ingest",
        "join_features": "_join_features",
        "list_findings": "_findings",
        "notebook": "_notebook",
        "predict": "_predict",
        "register": "_register",
        "split": "_split",
    },
)
