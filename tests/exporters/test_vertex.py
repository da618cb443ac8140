"""Vertex AI: KFP's own protocol buffer and Vertex's own client accept the file; secrets are those of Google."""

import json
from pathlib import Path

import yaml
from tests.exporters.engines import engine

CHECK = Path(__file__).parent / "check_vertex.py"
PARSE = """
import json, sys
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
text = open(sys.argv[1]).read()
json_format.Parse(text, pipeline_spec_pb2.PipelineSpec())
"""
GPU = """
import penstock as ps


@ps.step(resources=ps.Resources(gpu=2))
def train() -> int:
    return 1


@ps.pipeline
def on_gpu():
    train()
"""


def test_the_file_is_that_of_kfp_with_secrets_of_secret_manager(job):
    document = json.loads(job.export("job.py:job", "vertex", "--image", "r/job:1").read_text())
    plain, _ = yaml.safe_load_all(job.export("job.py:job", "kfp", "--image", "r/job:1").read_text())
    for name in ("root", "components"):
        assert document[name] == plain[name]
    executors = plain["deploymentSpec"]["executors"]
    for name, each in document["deploymentSpec"]["executors"].items():
        container, command = each["container"], executors[name]["container"]["command"]
        assert container["command"][:2] == ["python", "-c"]
        assert "secretmanager" in container["command"][2]
        compile(container["command"][2], "entry", "exec")
        assert container["command"][3:] == command
        assert container["env"] == [{"name": "PENSTOCK_SECRET", "value": "penstock"}]
    assert "squared: penstock keeps the limit of 300 s" in document["pipelineInfo"]["description"]
    assert job.store not in json.dumps(document)


def test_a_gpu_has_a_type_of_google(job):
    (job.folder / "gpu.py").write_text(GPU)
    document = json.loads(job.export("gpu.py:on_gpu", "vertex").read_text())
    resources = document["deploymentSpec"]["executors"]["exec-train"]["container"]["resources"]
    assert resources["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    assert resources["accelerator"]["count"] == "2"


def test_kfps_own_protocol_buffer_accepts_the_file(job):
    file = job.export("job.py:job", "vertex")
    python = engine("kfp") / "python"
    done = job.call(python, "-c", PARSE, file)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = json.loads(file.read_text())
    broken["root"]["dag"]["tasks"]["total"]["afterwards"] = []
    file.write_text(json.dumps(broken))
    assert job.call(python, "-c", PARSE, file).returncode != 0


def test_vertexs_own_client_builds_the_request(job):
    file = job.export("job.py:job", "vertex").rename(job.folder / "job.json")
    done = job.call(engine("vertex") / "python", CHECK, file, "count=4")
    assert done.returncode == 0, done.stdout + done.stderr
    request = json.loads(done.stdout)
    assert request["pipelineSpec"] == json.loads(file.read_text())
    assert request["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    assert request["runtimeConfig"]["parameterValues"] == {"count": "4"}
    wrong = job.call(engine("vertex") / "python", CHECK, file, "depth=4")
    assert wrong.returncode != 0
