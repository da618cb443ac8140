"""KServe: its rules accept the manifest, and the container answers as the deployment in the store does."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from tests.exporters.engines import engine
from tests.services import free_port
from tests.serving.conftest import MODEL, World

from penstock.core import NotFoundError, ParameterError
from penstock.exporters import export_model
from penstock.people import create_first_admin
from penstock.registry import Registry
from penstock.serving import deploy
from penstock.stores import open_store

CHECK = Path(__file__).parent / "check_kubernetes.py"
BIN = Path(sys.executable).parent


@pytest.fixture
def world(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")
    made = World(store, Registry(store=store))
    made.register()
    made.promote(1)
    yield made
    store.close()


def exported(world, name=MODEL, **options):
    done = export_model(name, to="kserve", store=world.store, **options)
    return yaml.safe_load(done.text), done


def container_of(document):
    [container] = document["spec"]["predictor"]["containers"]
    return container


def command(world, *words):
    return subprocess.run(
        [BIN / "penstock", *words],
        env={**os.environ, "PENSTOCK_STORE": world.store.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_service_is_what_kserve_needs_of_a_container_of_protocol_2(world):
    document, done = exported(world, image="r/tips:1")
    assert (document["apiVersion"], document["kind"]) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    assert document["metadata"] == {"name": MODEL}
    predictor, container = document["spec"]["predictor"], container_of(document)
    assert predictor["minReplicas"] == 1
    assert container["name"] == "kserve-container"
    assert container["image"] == "r/tips:1"
    assert {"name": "PROTOCOL", "value": "v2"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "penstock"}}]
    # Knative takes a single port, under none but its own names.
    [port] = container["ports"]
    assert port == {"containerPort": 8080, "protocol": "TCP"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert container["args"][container["args"].index("--port") + 1] == "8080"
    assert done.file == "big-tips.kserve.yaml"


def test_kubernetes_own_schema_accepts_the_container_and_no_key_is_unknown(world, tmp_path):
    python, document = engine("manifests") / "python", exported(world)[0]
    # All else of a predictor is the specification of a pod.
    spec = dict(document["spec"]["predictor"])
    assert spec.pop("minReplicas") == 1
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": document["metadata"], "spec": spec}
    path = tmp_path / "pod.yaml"
    for expected in (0, 1):
        path.write_text(json.dumps(pod))
        done = subprocess.run([python, CHECK, path], capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        spec["containers"][0]["imag"] = "x"


@contextmanager
def started(container, secret):
    """Start the container's command with the secret, as a pod does; returns the server's URL."""
    port = free_port()
    words = [str(port) if word == "8080" else word for word in container["args"]]
    env = {each["name"]: each["value"] for each in container["env"]}
    process = subprocess.Popen(
        [BIN / container["command"][0], *words], env={**os.environ, **env, **secret}
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_ready(url, probe):
    for _ in range(300):
        try:
            if httpx.get(url + probe["httpGet"]["path"]).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("never ready")


def test_the_container_is_ready_and_answers_the_protocol_to_those_with_a_token(world, tmp_path):
    token = create_first_admin(store=world.store).secret.reveal()
    container = container_of(exported(world)[0])
    container["env"][1]["value"] = str(tmp_path / "journals")
    body = {
        "inputs": [
            {"name": "miles", "shape": [2], "datatype": "FP64", "data": [1.0, 6.0]},
            {"name": "hour", "shape": [2], "datatype": "INT64", "data": [7, 8]},
        ]
    }
    with started(container, {"PENSTOCK_STORE": world.store.url}) as url:
        wait_until_ready(url, container["readinessProbe"])
        assert httpx.get(url + container["livenessProbe"]["httpGet"]["path"]).status_code == 200
        assert httpx.post(f"{url}/v2/models/{MODEL}/infer", json=body).status_code == 401
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.post(f"{url}/v2/models/{MODEL}/infer", json=body, headers=headers).json()
    assert answer["model_version"] == "1"
    assert answer["outputs"][0]["data"] == ["no", "yes"]
    # The prediction log is in the store, as of every model server.
    assert len(world.store.metadata.predictions.list(MODEL)) == 2


def test_the_traffic_policy_stays_in_the_store_and_that_is_said(world):
    _, before = exported(world)
    assert "When exported: version 1 100 %." in before.notes[0]
    # To export deploys nothing.
    assert world.store.metadata.deployments.list() == []
    world.register(0.5)
    deploy(MODEL, version=2, canary=(25, 100), store=world.store)
    document, done = exported(world)
    assert "canaryTrafficPercent" not in document["spec"]["predictor"]
    assert (
        "When exported: version 1 75 %, version 2 25 %; canary in steps of 25, 100 %."
        in done.notes[0]
    )
    head = " ".join(line.lstrip("# ") for line in done.text.splitlines() if line[0] == "#")
    for note in done.notes:
        assert note in head
    assert document == exported(world)[0]


def test_what_a_pod_needs_besides_is_listed(world):
    _, local = exported(world)
    assert "is a file of this machine" in " ".join(local.notes)
    assert "penstock users first" in " ".join(local.notes)
    assert "must be an admin's" in " ".join(local.notes)
    open_to_all, anonymous = exported(world, anonymous=True)
    assert container_of(open_to_all)["args"][-2:] == ["--allow-remote", "--anonymous"]
    assert "asked for no token" in " ".join(anonymous.notes)
    assert "penstock users first" not in " ".join(anonymous.notes)
    assert "admin" not in " ".join(anonymous.notes)


def test_names_that_kserve_does_not_take_are_changed_and_said_or_refused(world):
    deploy(MODEL, name="Big_Tips.eu", store=world.store)
    document, done = exported(world, "Big_Tips.eu")
    assert document["metadata"]["name"] == "big-tips-eu"
    assert container_of(document)["args"][1] == "Big_Tips.eu"
    assert "/v2/models/Big_Tips.eu/infer" in done.notes[1]
    for name in ("7tips", "tips" * 20):
        deploy(MODEL, name=name, store=world.store)
        with pytest.raises(ParameterError, match="--name OTHER"):
            exported(world, name)


def test_what_cannot_be_served_is_not_exported(world, tmp_path):
    with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
        exported(world, "big-tip")
    store = open_store(f"sqlite:///{tmp_path}/new.db")
    World(store, Registry(store=store)).register()
    with pytest.raises(
        NotFoundError, match=r"(?s)no version in production.*penstock promote big-tips"
    ):
        export_model(MODEL, to="kserve", store=store)
    store.close()
    with pytest.raises(ParameterError, match="kserve"):
        export_model(MODEL, to="kserv", store=world.store)  # type: ignore[arg-type]


def test_the_command_writes_prints_and_lists(world, tmp_path):
    text = exported(world)[1].text
    short = command(world, "export", MODEL, "--to", "kserve")
    assert (short.returncode, short.stdout) == (0, text)
    assert "not carried over: The traffic policy is in the store" in short.stderr
    written = tmp_path / "out" / "tips.yaml"
    full = command(world, "export", "model", MODEL, "--to=kserve", "-o", str(written), "--json")
    document = json.loads(full.stdout)
    assert written.read_text() == text == document["text"]
    assert document["to"] == "kserve"
    assert document["notes"] == list(exported(world)[1].notes)
    unknown = command(world, "export", "--to", "kserve", "nobody", "--json")
    assert unknown.returncode != 0
    assert "nobody" in json.loads(unknown.stdout)["error"]["what"]
