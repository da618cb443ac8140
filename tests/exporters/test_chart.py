"""The Helm chart: Helm's own library lints and renders it, Kubernetes' schemas accept it, and the commands exist."""

import json
from pathlib import Path

import click
import pytest
from tests.exporters.engines import engine

from penstock.cli import cli
from penstock.core import ConflictError
from penstock.exporters import write_chart

CHECK = Path(__file__).parent / "check_chart.py"


@pytest.fixture
def rendered(job):
    write_chart(job.folder / "chart")

    def render(**values):
        words = (engine("manifests") / "python", CHECK, job.folder / "chart", json.dumps(values))
        return job.call(*words)

    return render


def parsed(command, arguments):
    """Parse the arguments of a command of ours, without executing it."""
    with click.Context(cli) as context:
        found = cli.get_command(context, command)
        return found.make_context(command, list(arguments), parent=context).params


def test_helm_and_kubernetes_accept_every_manifest_and_our_commands_their_arguments(rendered):
    models = [{"name": "churn_model", "replicas": 2}, {"name": "price", "port": 9000}]
    server = {"allowedHosts": ["ml.example.org"]}
    done = rendered(image="r/churn:1", models=models, server=server)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout)
    assert [each for each in shown["messages"] if each["severity"] > 1] == []
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in shown["manifests"]}
    names = {name for kind, name in by_name if kind == "Deployment"}
    assert names == {"ml-server", "ml-scheduler", "ml-serve-churn-model", "ml-serve-price"}
    services = {name for kind, name in by_name if kind == "Service"}
    assert services == names - {"ml-scheduler"}
    for name in services:
        labels = by_name["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert by_name["Service", name]["spec"]["selector"].items() <= labels.items()
    arguments = {}
    for name in names:
        pod = by_name["Deployment", name]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == "r/churn:1"
        assert container["envFrom"] == [{"secretRef": {"name": "penstock"}}]
        command, *words = container["args"]
        arguments[name] = parsed(command, words)
    assert arguments["ml-server"]["allowed_hosts"] == (
        "ml-server",
        "ml-server.team.svc",
        "ml.example.org",
    )
    assert arguments["ml-serve-price"]["port"] == 9000
    assert by_name["Deployment", "ml-serve-churn-model"]["spec"]["replicas"] == 2


def test_wrong_values_are_refused_by_the_charts_schema(rendered):
    assert "image" in rendered().stderr
    assert rendered(image="r/churn:1", sever={}).returncode != 0
    assert rendered(image="r/churn:1", models=[{"port": 8000}]).returncode != 0


def test_a_folder_with_files_is_not_overwritten(tmp_path):
    (tmp_path / "values.yaml").write_text("mine")
    with pytest.raises(ConflictError, match="not an empty folder"):
        write_chart(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["values.yaml"]
