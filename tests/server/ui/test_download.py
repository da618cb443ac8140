"""Every artifact of a run can be downloaded from its page, and none becomes a page itself."""

import os
import re

import httpx
import polars as pl
import pytest
from litestar.testing import TestClient

from penstock.server import create_ui
from penstock.stores import open_store
from penstock.tracking import start_run


def download(client, run_id, name):
    return client.get(f"/runs/{run_id}/artifact", params={"name": name})


def test_the_page_links_every_artifact_and_each_link_gives_its_bytes(client, store):
    with start_run(store=store) as run:
        run.log_artifact(b"<script>alert(1)</script>", name="page.html")
        run.log_artifact(pl.DataFrame({"a": range(3000)}), name="a/b c&d?e=f#g")
        run.log_artifact(b"", name="empty")
    page = client.get(f"/runs/{run.run_id}").text
    links = re.findall(r'href="(/runs/[^"]*/artifact\?name=[^"]*)"', page)
    assert len(links) == 3
    answers = [client.get(link.replace("&amp;", "&")) for link in links]
    assert [answer.status_code for answer in answers] == [200] * 3
    records = run.artifacts().values()
    assert [len(answer.content) for answer in answers] == [item.size_bytes for item in records]
    for answer in answers:
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../etc/passwd", "attachment; filename=passwd; filename*=UTF-8''passwd"),
        ('a"; x="b.png', "attachment; filename=a___x__b.png; filename*=UTF-8''a%22%3B%20x%3D%22b.png"),
        ("grün.txt", "attachment; filename=gr_n.txt; filename*=UTF-8''gr%C3%BCn.txt"),
        ("a\r\nset-cookie: b", "attachment; filename=a__set-cookie__b; filename*=UTF-8''a%0D%0Aset-cookie%3A%20b"),
        ("..\\x.exe", "attachment; filename=x.exe; filename*=UTF-8''x.exe"),
    ],
)  # fmt: skip
def test_a_name_is_only_a_name_in_the_header(client, store, name, said):
    with start_run(store=store) as run:
        run.log_artifact(b"x", name=name)
    answer = download(client, run.run_id, name)
    assert answer.content == b"x"
    assert answer.headers["content-disposition"] == said
    assert "set-cookie" not in answer.headers


def test_what_is_not_there_is_told(client, store):
    with start_run(store=store) as run:
        run.log_artifact(b"x" * 5000, name="rows")
    assert download(client, run.run_id, "row").status_code == 404
    assert "Did you mean &#39;rows&#39;?" in download(client, run.run_id, "row").text
    assert download(client, "nobody", "rows").status_code == 404
    store.artifacts.delete(run.artifact_record("rows").digest)
    gone = download(client, run.run_id, "rows")
    assert gone.status_code == 503
    assert "are gone" in gone.text


def test_damaged_bytes_are_not_given_out(client, store):
    with start_run(store=store) as run:
        run.log_artifact(b"x" * 5000, name="rows")
    store.artifacts.path(run.artifact_record("rows").digest).write_bytes(b"y" * 5000)
    assert download(client, run.run_id, "rows").status_code == 503


@pytest.mark.services
def test_bytes_in_a_bucket_come_through_the_server(bucket, tmp_path):
    data = os.urandom(3 << 20)
    (tmp_path / "model.bin").write_bytes(data)
    with open_store(f"sqlite:///{tmp_path}/p.db", artifacts=f"s3://{bucket}") as store:
        with start_run(store=store) as run:
            run.log_artifact(tmp_path / "model.bin")
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            answer = download(client, run.run_id, "model.bin")
            assert answer.content == data
            assert isinstance(answer, httpx.Response)
            assert client.get(f"/runs/{run.run_id}").status_code == 200
