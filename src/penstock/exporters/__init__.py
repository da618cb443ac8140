"""Pipelines and models in the form of other systems: a PipelineSpec goes in, a file for an orchestrator comes out."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.exporters._build import build_images as build_images
    from penstock.exporters._chart import write_chart as write_chart
    from penstock.exporters._export import ENGINES as ENGINES
    from penstock.exporters._export import Engine as Engine
    from penstock.exporters._export import export_pipeline as export_pipeline
    from penstock.exporters._export import export_run as export_run
    from penstock.exporters._export_model import SERVING_PLATFORMS as SERVING_PLATFORMS
    from penstock.exporters._export_model import ServingPlatform as ServingPlatform
    from penstock.exporters._export_model import export_model as export_model
    from penstock.exporters._exported import Exported as Exported
    from penstock.exporters._exported import RunsExport as RunsExport
    from penstock.exporters._images import ImageFile as ImageFile
    from penstock.exporters._images import export_image as export_image
    from penstock.exporters._openlineage import export_openlineage as export_openlineage
    from penstock.exporters._sagemaker_model import SagemakerModelExport as SagemakerModelExport
    from penstock.exporters._sagemaker_model import export_sagemaker_model as export_sagemaker_model
    from penstock.exporters._sagemaker_runs import export_sagemaker_runs as export_sagemaker_runs
    from penstock.exporters._vertex_model import export_vertex_model as export_vertex_model
    from penstock.exporters._wandb import export_wandb as export_wandb

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ENGINES": "_export",
        "Engine": "_export",
        "Exported": "_exported",
        "ImageFile": "_images",
        "RunsExport": "_exported",
        "SERVING_PLATFORMS": "_export_model",
        "ServingPlatform": "_export_model",
        "build_images": "_build",
        "export_image": "_images",
        "export_model": "_export_model",
        "export_openlineage": "_openlineage",
        "SagemakerModelExport": "_sagemaker_model",
        "export_sagemaker_model": "_sagemaker_model",
        "export_sagemaker_runs": "_sagemaker_runs",
        "export_vertex_model": "_vertex_model",
        "write_chart": "_chart",
        "export_pipeline": "_export",
        "export_run": "_export",
        "export_wandb": "_wandb",
    },
)
