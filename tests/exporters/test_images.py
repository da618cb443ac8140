"""penstock image: a Containerfile by the project's requirements, with an image for each environment of a step."""

import hashlib
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from tests.exporters.engines import engine
from tests.services import missing

import penstock
from penstock.core import NotFoundError, ParameterError
from penstock.exporters._plan import image_of
from penstock.provenance import read_requirements

PIPELINE = """
import penstock as ps


@ps.step(environment="requirements/gpu.txt", resources=ps.Resources(gpu=1))
def train(depth: int) -> float:
    return 1 / depth


@ps.step
def best(score: float) -> float:
    return score


@ps.pipeline
def churn(depth: int = 3):
    return best(train(depth))
"""
HASH = "--hash=sha256:" + "a" * 64
BASE = "python:3.12-slim@sha256:" + "b" * 64


@pytest.fixture
def churn(job):
    (job.folder / "churn.py").write_text(PIPELINE)
    (job.folder / "requirements").mkdir()
    (job.folder / "requirements.txt").write_text(f"penstock==0.1.0 \\\n    {HASH}\n")
    (job.folder / "requirements" / "gpu.txt").write_text(
        f"torch==2.13.0 {HASH}\n-r ../requirements.txt\n"
    )
    return job


def test_pinned_and_hashed_there_is_nothing_that_can_differ(churn):
    words = ("image", "churn.py", "--base", BASE, "--image", "r/churn:1", "--json")
    made = json.loads(churn.penstock(*words))
    assert made["notes"] == []
    assert made["images"] == {
        "r/churn:1": "project",
        "r/churn:1-requirements-gpu": "requirements-gpu",
    }
    assert made["text"].count("pip install --require-hashes -r ") == 2
    assert made["text"].count("RUN SOURCE_DATE_EPOCH=") == 2
    assert 'COPY ["requirements/gpu.txt", "requirements/gpu.txt"]' in made["text"]
    assert "pip install penstock" not in made["text"]
    assert made["text"] == json.loads(churn.penstock(*words))["text"]


def test_what_can_differ_is_said_in_the_file_and_beside(churn):
    (churn.folder / "requirements.txt").write_text("polars\n")
    done = churn.call("penstock", "image", "churn.py", "-o", "Containerfile")
    text = (churn.folder / "Containerfile").read_text()
    for note in (
        "give its digest: --base",
        "requirements.txt: 1 without a fixed version, as polars",
    ):
        assert note in done.stderr
        assert note in text
    assert "pip install penstock==" in text
    assert ".env*" in (churn.folder / "Containerfile.dockerignore").read_text()


def test_hadolint_finds_nothing(churn):
    churn.penstock("image", "churn.py", "--base", BASE, "-o", "Containerfile")
    done = churn.call(engine("manifests") / "hadolint", churn.folder / "Containerfile")
    assert done.returncode == 0, done.stdout


def test_a_builder_gets_each_stage_and_its_failure_is_ours(churn):
    folder = churn.folder / "bin"
    folder.mkdir()
    builder = folder / "podman"
    builder.write_text('#!/bin/sh\necho "$@" >> calls\n[ ! -e refuse ]\n')
    builder.chmod(0o755)
    churn.env["PATH"] = f"{folder}:{churn.env['PATH']}"
    churn.penstock("image", "churn.py", "--image", "r/churn:1", "--build")
    calls = [line.split() for line in (churn.folder / "calls").read_text().splitlines()]
    assert [(each[each.index("--target") + 1], each[each.index("-t") + 1]) for each in calls] == [
        ("project", "r/churn:1"),
        ("requirements-gpu", "r/churn:1-requirements-gpu"),
    ]
    assert all(Path(each[each.index("-f") + 1]).is_file() for each in calls)
    (churn.folder / "refuse").write_text("")
    done = churn.call("penstock", "image", "churn.py", "--build")
    assert done.returncode != 0
    assert "podman ended with code 1" in done.stderr


def test_without_a_builder_the_command_to_build_elsewhere_is_named(churn):
    bin_folder = Path(churn.env["PATH"].split(os.pathsep)[0])
    churn.env["PATH"] = f"{churn.folder}/none"
    done = churn.call(bin_folder / "penstock", "image", "churn.py", "--build")
    assert done.returncode == 2
    assert "docker build -f Containerfile --target project -t churn:latest ." in done.stderr


def test_exports_execute_the_step_in_its_image(churn):
    argo = yaml.safe_load(
        churn.export("churn.py:churn", "argo", "--image", "r/churn:1").read_text()
    )
    images = {
        each["name"]: each["container"]["image"]
        for each in argo["spec"]["templates"]
        if "container" in each
    }
    assert images == {
        "prepare": "r/churn:1", "step": "r/churn:1", "step-train": "r/churn:1-requirements-gpu",
    }  # fmt: skip
    kfp, _ = yaml.safe_load_all(churn.export("churn.py:churn", "kfp").read_text())
    executors = kfp["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["image"] == "churn:latest-requirements-gpu"
    made = json.loads(churn.export("churn.py:churn", "sagemaker").read_text())
    step = next(each for each in made["Steps"] if each["Name"] == "train")
    image = step["Arguments"]["AppSpecification"]["ImageUri"]
    assert image == "churn:latest-requirements-gpu"
    github = churn.export("churn.py:churn", "github-actions").read_text()
    assert github.count("pip install -r requirements/gpu.txt") == 1
    done = churn.call("penstock", "export", "churn.py", "--to", "airflow")
    assert "train: Airflow executes it where it runs, not in requirements/gpu.txt." in done.stderr


def test_a_changed_environment_is_another_key_and_a_comment_is_not(churn):
    def cached():
        churn.penstock("run", "churn.py", "-q")
        shown = json.loads(churn.penstock("show", "last", "--json"))
        return {each["name"]: each["state"] for each in shown["steps"]}

    assert cached() == {"train": "finished", "best": "finished"}
    file = churn.folder / "requirements" / "gpu.txt"
    file.write_text(f"# of the GPU\n{file.read_text()}")
    assert cached() == {"train": "cached", "best": "cached"}
    (churn.folder / "requirements.txt").write_text(f"penstock==0.2.0 {HASH}\n")
    assert cached() == {"train": "finished", "best": "cached"}
    why = churn.penstock("why", "last", "train")
    assert "requirements requirements.txt changed since run" in why


def test_a_missing_file_stops_before_anything_runs(churn):
    (churn.folder / "requirements" / "gpu.txt").unlink()
    done = churn.call("penstock", "run", "churn.py")
    assert done.returncode != 0
    assert "requirements/gpu.txt cannot be read" in done.stderr


def test_files_that_include_one_another_and_files_outside(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt\n-c c.txt\nnumpy>=2 ; python_version > '3'\n")
    (tmp_path / "b.txt").write_text("-r a.txt\npolars==1.36.0\n")
    (tmp_path / "c.txt").write_text("--requirement=missing.txt\n")
    with pytest.raises(NotFoundError, match=r"missing\.txt"):
        read_requirements(tmp_path, "a.txt")
    (tmp_path / "c.txt").write_text("")
    found = read_requirements(tmp_path, "a.txt")
    assert sorted(found.files) == ["a.txt", "b.txt", "c.txt"]
    assert found.names == {"numpy", "polars"}
    assert found.unpinned == ["numpy>=2 ; python_version > '3'"]


def test_an_image_by_digest_cannot_name_an_environments():
    with pytest.raises(ParameterError, match="has a digest"):
        image_of("churn", "r/churn@sha256:0", "gpu.txt")


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        ("-e .\npolars==1.0", ["."]),
        ("--find-links wheels\n-f https://host/x\n", ["wheels"]),
        ("./dist/own-1.0-py3-none-any.whl --hash=sha256:0\n", ["./dist/own-1.0-py3-none-any.whl"]),
        ("own @ file:./own\nhttps://host/x.whl\n", ["./own"]),
        ("polars==1.0 --hash=sha256:0\n-r b.txt\n--no-index\n", []),
    ],
)
def test_requirements_of_the_projects_own_files_are_copied_before_they_are_installed(
    churn, lines, paths
):
    (churn.folder / "b.txt").write_text("")
    (churn.folder / "requirements.txt").write_text(lines)
    assert read_requirements(churn.folder, "requirements.txt").local_paths == paths
    made = json.loads(churn.penstock("image", "churn.py", "--json"))
    stage = made["text"].partition("AS project\n")[2].partition("\n\n")[0]
    assert stage.startswith("COPY . .\n" if paths else 'COPY ["')
    churn.penstock("image", "churn.py", "-o", "Containerfile")
    ignored = (churn.folder / "Containerfile.dockerignore").read_text().splitlines()
    assert ("dist" in ignored) == (not any("dist" in path for path in paths))


REAL = """
import penstock as ps


@ps.step(environment="requirements/gpu.txt")
def train(depth: int) -> float:
    from only_gpu import K

    return K / depth


@ps.step
def best(score: float) -> float:
    from everywhere import K

    return score + K


@ps.pipeline
def churn(depth: int = 3):
    return best(train(depth))
"""


def write_wheel(folder, name, text):
    """Write a wheel of a module; returns the requirement with the hash."""
    file, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as wheel:
        for each, content in files.items():
            wheel.writestr(zipfile.ZipInfo(each), content)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def builder(churn):
    """A real builder whose images see this machine's Python: no registry is needed."""
    buildah = shutil.which("buildah") or missing("needs buildah: apt-get install buildah")
    folder, root = churn.folder.parent / "builder", Path(__file__).parents[2]
    folder.mkdir()
    (folder / "bin").mkdir()
    (folder / "bin" / "buildah").symlink_to(buildah)
    seen = ["/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix, str(root)]
    volumes = ", ".join(
        f'"{each}:{each}:ro"' for each in dict.fromkeys(seen) if Path(each).exists()
    )
    (folder / "containers.conf").write_text(f"[containers]\nvolumes = [{volumes}]\n")
    places = f'runroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    (folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{places}')
    churn.env |= {
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_CONF": f"{folder}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
        "PATH": f"{folder}/bin:{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    site = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (folder / "Containerfile").write_text(
        "FROM scratch\nENV PATH=/opt/venv/bin:/usr/bin:/bin\n"
        f"RUN {sys.base_prefix}/bin/python3 -m venv --without-pip /opt/venv && "
        f"printf '%s\\n' {sys.prefix}/{site} {root}/src > /opt/venv/{site}/seen.pth && "
        "printf '#!/bin/sh\\nexec python -m pip \"$@\"\\n' > /opt/venv/bin/pip && "
        "chmod 755 /opt/venv/bin/pip\n"
    )
    words = (
        "build",
        "--timestamp",
        "0",
        "-f",
        f"{folder}/Containerfile",
        "-t",
        "base",
        str(folder),
    )
    done = churn.call("buildah", *words)
    assert done.returncode == 0, done.stderr
    return churn


def test_real_images_are_equal_in_each_build_and_a_run_inside_has_equal_digests(builder):
    """What stands in the Containerfile is executed: requirements with hashes, a stage for an environment."""
    folder = builder.folder
    (folder / "churn.py").write_text(REAL)
    (folder / ".env").write_text("TOKEN=secret")
    (folder / "wheels").mkdir()
    everywhere = write_wheel(folder / "wheels", "everywhere", "K = 1.5\n")
    only_gpu = write_wheel(folder / "wheels", "only_gpu", "K = 6\n")
    own = f"penstock=={penstock.__version__} {HASH}\n"
    head = "--no-index\n--find-links wheels\n"
    (folder / "requirements.txt").write_text(head + own + everywhere)
    (folder / "requirements" / "gpu.txt").write_text("-r ../requirements.txt\n" + only_gpu)
    words = ("penstock", "image", "churn.py", "--base", "localhost/base", "--build", "--image")

    def build(name):
        done = builder.call(*words, name)
        assert done.returncode == 0, done.stdout + done.stderr
        images = json.loads(builder.call("buildah", "images", "--json").stdout)
        return {
            each.rpartition("/")[2]: image["id"]
            for image in images
            for each in image["names"] or ()
        }

    first = build("churn:1")
    again = build("churn:1")
    assert first["churn:1"] == again["churn:1"]
    assert first["churn:1-requirements-gpu"] == again["churn:1-requirements-gpu"]

    def inside(image, *command):
        made = builder.call("buildah", "from", image).stdout.strip()
        return builder.call("buildah", "run", made, "--", *command)

    run = ("python", "-m", "penstock.cli", "run", "churn.py", "--json")
    done = inside("churn:1-requirements-gpu", *run)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {each["name"]: each["outputs"] for each in json.loads(done.stdout)["steps"]}
    wheels = os.pathsep.join(map(str, (folder / "wheels").iterdir()))
    here = builder.call("penstock", "run", "churn.py", "--json", PYTHONPATH=wheels)
    assert found == {each["name"]: each["outputs"] for each in json.loads(here.stdout)["steps"]}
    # the project's image has not what only the environment of a step has, and neither has a secret
    done = inside("churn:1", *run)
    assert done.returncode == 3
    assert "No module named 'only_gpu'" in done.stdout + done.stderr
    assert inside("churn:1", "ls", "-a").stdout.count(".env") == 0
    (folder / "requirements.txt").write_text(
        head + own + everywhere.replace("sha256:", "sha256:0")[:-2] + "\n"
    )
    done = builder.call(*words, "churn:2")
    assert done.returncode != 0
    assert "buildah ended with code" in done.stderr
