"""``penstock export sagemaker``, ``sagemaker-model`` and ``vertex-model``: runs and models for clouds' own records."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from penstock import exporters, registry
from penstock.cli._export import show_exported
from penstock.cli._help import examples
from penstock.cli._moving import show_lost, show_written
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.server.mlflow import moving

_S3 = click.option("--to", required=True, metavar="s3://…", help="Where files are written.")
_REGION = click.option("--region", help="Region of AWS; default: boto3's.")


@click.command(
    name="sagemaker",
    epilog=examples("penstock export sagemaker last --to s3://bucket/penstock"),
)
@click.argument("runs", nargs=-1, required=True)
@_S3
@_REGION
@json_option
@click.pass_context
def export_to_sagemaker(
    ctx: click.Context, runs: tuple[str, ...], to: str, region: str | None, as_json: bool
) -> None:
    """Write RUNS to SageMaker Experiments: a trial with a trial component each, artifacts in S3.

    A run that is there already is not written again; one that has changed is written anew. What has
    no place there is listed.
    """
    done = exporters.export_sagemaker_runs(runs, to=to, region=region, store=current_store(ctx))
    if as_json:
        emit(asdict(done))
        return
    show_written(done, "{}: {}")


@click.command(
    name="sagemaker-model",
    epilog=examples(
        "penstock export sagemaker-model churn@champion --to s3://bucket/models --image IMAGE"
    ),
)
@click.argument("ref")
@_S3
@click.option("--image", required=True, help="Image that answers /ping and /invocations.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The model as the image reads it; default: as `export mlflow-model` writes it.",
)
@_REGION
@json_option
@click.pass_context
def export_package(
    ctx: click.Context,
    ref: str,
    to: str,
    image: str,
    folder: Path | None,
    region: str | None,
    as_json: bool,
) -> None:
    """Register version REF as a model package in SageMaker, with its approval status.

    A version in production is Approved, a rejected one Rejected, any other PendingManualApproval. A
    package that is there is not registered again; its status follows. What has no place there is
    listed.
    """
    store = current_store(ctx)
    with tempfile.TemporaryDirectory(prefix="penstock-export-") as room:
        if folder is None:
            folder = Path(room) / "model"
            version = registry.Registry(store=store).get(*registry.parse_ref(ref))
            moving.write_model_folder(version, folder, store=store)
        done = exporters.export_sagemaker_model(
            ref, folder=folder, to=to, image=image, region=region, store=store
        )
    if as_json:
        emit(asdict(done))
        return
    state = "was there" if done.unchanged else "is there"
    say(f"[green]✓[/] {plain(done.ref)} {state}: {plain(done.arn)} ({done.status}).")
    show_lost(done.lost)


@click.command(
    name="vertex-model",
    epilog=examples(
        "penstock export vertex-model churn@champion --to gs://bucket/models --image IMAGE"
        " --project P --location europe-west4 -o upload.json"
    ),
)
@click.argument("ref")
@click.option("--to", required=True, metavar="gs://…", help="Where the model's folder is copied.")
@click.option("--image", required=True, help="Image that answers /ping and /invocations.")
@click.option("--project", required=True, help="Project of Google Cloud.")
@click.option("--location", required=True, help="Region, such as europe-west4.")
@click.option("--existing", is_flag=True, help="The model is there: this is its next version.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
@json_option
@click.pass_context
def export_upload(
    ctx: click.Context,
    ref: str,
    to: str,
    image: str,
    project: str,
    location: str,
    existing: bool,
    output: str | None,
    as_json: bool,
) -> None:
    """Write the request that uploads version REF to Vertex AI's model registry; nothing is sent.

    What has no place there is listed on standard error.
    """
    exported = exporters.export_vertex_model(
        ref,
        to=to,
        image=image,
        project=project,
        location=location,
        existing=existing,
        store=current_store(ctx),
    )
    show_exported(exported, Path(output) if output is not None else None, as_json=as_json)
