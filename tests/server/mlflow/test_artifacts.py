"""Artifacts by name: streamed in and out, listed, and no client's path ever a path of this machine."""

from types import SimpleNamespace

import pytest
from litestar.testing import TestClient

from penstock.core import digest_bytes
from penstock.server.mlflow import create_mlflow
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._paths import ArtifactPlace, locate, safe_path

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
V2 = "/api/2.0/mlflow"


@pytest.fixture
def run(api):
    answer = api.post(f"{V2}/runs/create", json={"experiment_id": "0"})
    return answer.json()["run"]["info"]["run_id"]


def test_a_file_comes_back_as_it_was_sent(api, store, run):
    data = bytes(range(256)) * 5000
    assert api.put(f"{PROXY}/0/{run}/artifacts/model/weights.bin", content=data).json() == {}
    answer = api.get(f"{PROXY}/0/{run}/artifacts/model/weights.bin")
    assert answer.content == data
    assert answer.headers["content-disposition"].startswith("attachment")
    assert store.metadata.artifacts.list(run)["model/weights.bin"].digest == digest_bytes(data)
    api.put(f"{PROXY}/0/{run}/artifacts/model/weights.bin", content=b"new")
    assert api.get(f"/get-artifact?run_uuid={run}&path=model/weights.bin").content == b"new"


@pytest.mark.parametrize(
    ("name", "kind", "saved"),
    [
        ("a.txt", "text/plain", "attachment; filename=a.txt"),
        ("b.pkl", "application/octet-stream", "attachment; filename=b.pkl"),
        ("c.png", "image/png", "attachment; filename=c.png"),
        ("MLmodel", "text/plain", "attachment; filename=MLmodel"),
        ("e.html", "application/octet-stream", "attachment; filename=e.html"),
        ("f.svg", "application/octet-stream", "attachment; filename=f.svg"),
        ("ü g.txt", "text/plain", "attachment; filename=__g.txt; filename*=UTF-8''%C3%BC%20g.txt"),
    ],
)
def test_a_file_is_saved_under_its_name_and_what_a_browser_would_run_is_bytes(
    api, run, name, kind, saved
):
    api.put(f"{PROXY}/0/{run}/artifacts/{name}", content=b"x")
    for answer in (
        api.get(f"{PROXY}/0/{run}/artifacts/{name}"),
        api.get("/get-artifact", params={"run_id": run, "path": name}),
    ):
        assert answer.headers.get_list("content-type") == [kind]
        assert answer.headers["content-disposition"] == saved
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("most", "status"), [(1000, 413), (0, 507)])
def test_a_file_that_is_too_long_or_has_no_room_leaves_nothing(
    store, tmp_path, monkeypatch, most, status
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not most:
        monkeypatch.setattr(
            "shutil.disk_usage", lambda _: SimpleNamespace(total=1 << 50, free=(64 << 20) + 1000)
        )
    with TestClient(create_mlflow(hosts=(), max_artifact_size=most, store=store)) as api:
        created = api.post(f"{V2}/runs/create", json={"experiment_id": "0"}).json()
        run_id = created["run"]["info"]["run_id"]
        for content in (b"x" * 1001, iter([b"x" * 1000, b"x"])):
            answer = api.put(f"{PROXY}/0/{run_id}/artifacts/model.bin", content=content)
            assert answer.status_code == status, answer.text
            assert answer.json()["message"]
    assert store.metadata.artifacts.list(run_id) == {}
    assert list(tmp_path.glob("penstock-mlflow-*")) == []


def test_folders_are_listed_both_ways(api, run):
    for name in ("a.txt", "model/MLmodel", "model/data/x.bin", "modelling.txt"):
        api.put(f"{PROXY}/0/{run}/artifacts/{name}", content=b"12345")
    whole = api.get(f"{V2}/artifacts/list", params={"run_id": run}).json()
    assert whole["root_uri"] == f"mlflow-artifacts:/0/{run}/artifacts"
    assert [(f["path"], f["is_dir"]) for f in whole["files"]] == [
        ("a.txt", False), ("model", True), ("modelling.txt", False)]  # fmt: skip
    below = api.get(f"{V2}/artifacts/list", params={"run_id": run, "path": "model"}).json()
    assert [f["path"] for f in below["files"]] == ["model/MLmodel", "model/data"]
    names = api.get(PROXY, params={"path": f"0/{run}/artifacts/model"}).json()["files"]
    assert names == [
        {"path": "MLmodel", "is_dir": False, "file_size": 5},
        {"path": "data", "is_dir": True},
    ]
    assert api.get(PROXY, params={"path": f"0/{run}/artifacts/none"}).json() == {}


def test_what_is_not_there_is_not_found(api, run):
    api.put(f"{PROXY}/0/{run}/artifacts/model/MLmodel", content=b"1")
    for path in (
        f"0/{run}/artifacts/none",
        f"0/{run}/artifacts/model",
        f"0/{'f' * 32}/artifacts/a",
    ):
        answer = api.get(f"{PROXY}/{path}")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_folder_is_no_file(api, run):
    api.put(f"{PROXY}/0/{run}/artifacts/model/MLmodel", content=b"1")
    assert api.put(f"{PROXY}/0/{run}/artifacts/model", content=b"1").status_code == 400


def test_files_are_deleted_alone_and_with_their_folder(api, run):
    for name in ("a.txt", "model/x", "model/y", "model2/z"):
        api.put(f"{PROXY}/0/{run}/artifacts/{name}", content=b"1")
    assert api.delete(f"{PROXY}/0/{run}/artifacts/model").json() == {}
    assert api.delete(f"{PROXY}/0/{run}/artifacts/a.txt").status_code == 200
    left = api.get(f"{V2}/artifacts/list", params={"run_id": run}).json()["files"]
    assert [f["path"] for f in left] == ["model2"]


def test_names_that_need_escapes_and_loose_files(api, run):
    for name in ("wo rt/ü.txt", "100% sure.txt", "a+b&c=d.txt"):
        api.put(f"{PROXY}/0/{run}/artifacts/" + name.replace("%", "%25"), content=name.encode())
        answer = api.get("/get-artifact", params={"run_id": run, "path": name})
        assert answer.content == name.encode()
    api.put(f"{PROXY}/some/folder/file.txt", content=b"loose")
    assert api.get(f"{PROXY}/some/folder/file.txt").content == b"loose"
    assert api.get(PROXY, params={"path": "some"}).json()["files"] == [
        {"path": "folder", "is_dir": True}]  # fmt: skip


def test_a_logged_model_has_its_own_files_until_nothing_needs_them(api, store):
    made = api.post(f"{V2}/logged-models", json={"experiment_id": "0", "name": "m"}).json()["model"]
    model_id = made["info"]["model_id"]
    root = made["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    api.put(f"{PROXY}/{root}/MLmodel", content=b"flavors: {}")
    listed = api.get(f"{V2}/logged-models/{model_id}/artifacts/directories").json()
    assert listed["files"] == [{"path": "MLmodel", "is_dir": False, "file_size": 11}]
    assert api.get(f"{PROXY}/{root}/MLmodel").content == b"flavors: {}"
    api.post(f"{V2}/registered-models/create", json={"name": "churn"})
    version = {"name": "churn", "source": f"models:/{model_id}"}
    assert api.post(f"{V2}/model-versions/create", json=version).status_code == 200
    api.delete(f"{V2}/logged-models/{model_id}")
    answer = api.get(
        "/model-versions/get-artifact", params={"name": "churn", "version": "1", "path": "MLmodel"}
    )
    assert answer.content == b"flavors: {}"
    assert api.get(f"{PROXY}/{root}/MLmodel").content == b"flavors: {}"


def hostile_paths() -> list[str]:
    """Ways to write a path that leaves its root, each in many encodings."""
    bare = ["../x", "a/../../x", "..", "a/..", "/etc/passwd", "//etc/passwd", "..\\x", "a\\..\\..\\x",
            "C:/x", "C:\\x", "file:///etc/passwd", "a#b", "a/.../x", "....//x", ".. /x", "\x00", "a\nb",
            "http://127.0.0.1/x", "\\\\host\\share", "~/../x", "a/./../../x"]  # fmt: skip
    found = []
    for path in bare:
        once = "".join(f"%{byte:02x}" for byte in path.encode())
        found += [path, once, once.upper().replace("%", "%25"), once.replace("%", "%2525")]
        some = path.replace("/", "%2f").replace("\\", "%5c").replace(".", "%2e")
        found += [some, some.replace("%", "%25"), path.replace("..", "%2e%2e")]
        found += [path.replace("..", ".%2e"), path.replace("/", "%252f")]
        if any(mark in path for mark in ("..", "\\", "#", "\n", "\x00")):
            # Elsewhere than at the beginning the rest are names like others.
            found += [f"ok/{once}", f"0/{'a' * 32}/artifacts/{once}"]
    return found


@pytest.mark.parametrize("path", sorted(set(hostile_paths())))
def test_hostile_paths_are_refused(path):
    with pytest.raises(MlflowError) as caught:
        locate(path)
    assert caught.value.code == "INVALID_PARAMETER_VALUE"


def test_hostile_requests_touch_nothing(api, run, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    before = {file: file.read_bytes() for file in tmp_path.glob("*.txt")}
    places = [str(tmp_path / "secret.txt").lstrip("/"), "secret.txt"]
    for place in places:
        for up in ("..", "%2e%2e", "%252e%252e", "..%2f..", "..%5c"):
            climb = "/".join([up] * 12)
            for path in (f"0/{run}/artifacts/{climb}/{place}", f"{climb}/{place}"):
                for call in (api.get, api.delete):
                    answer = call(f"{PROXY}/{path}")
                    assert answer.status_code in {400, 404}
                    assert b"secret" not in answer.content.replace(b"secret.txt", b"")
                assert api.put(f"{PROXY}/{path}", content=b"x").status_code in {400, 404}
    assert {file: file.read_bytes() for file in tmp_path.glob("*.txt")} == before


def test_plain_paths_lead_where_they_say():
    assert safe_path("a//b/./c/") == "a/b/c"
    assert locate("3/abc/artifacts/model/MLmodel") == ArtifactPlace("run", "abc", "model/MLmodel")
    assert locate("3/models/m-1/artifacts/x") == ArtifactPlace("model", "m-1", "x")
    assert locate("3/abc/artifacts") == ArtifactPlace("run", "abc", "")
    assert locate("models/x") == ArtifactPlace("loose", "", "models/x")
    assert locate("") == ArtifactPlace("loose", "", "")
