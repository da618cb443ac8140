"""Whatever stands in an address, a page answers with what it found or with a sentence: never 5xx."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from penstock.server import create_ui
from penstock.stores import open_store
from penstock.tracking import start_run

PLACES = [
    ("/runs", ("filter", "experiment", "state", "sort", "dir", "page", "limit", "col")),
    ("/experiments", ("filter", "sort", "after")),
    ("/models", ("filter", "sort")),
    ("/compare", ("a", "b", "run")),
    ("/models/big-tips", ("version",)),
    ("/lineage", ("node", "direction")),
]
LONG = {
    "a long name": "metrics.`" + "a" * 5000 + "` > 1",
    "deep": "(" * 3000,
    "not not": "not " * 1500 + "name = 'a'",
    "many in": "name in (" + "'a', " * 1500 + "'b')",
    "many and": "name = 'a' and " * 800 + "name = 'b'",
    "many any": "name like '%" + "_%" * 500 + "'",
}
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="metricspan.` ,'\"<>=!()0123456789%-desc\\\x00\n", max_size=40),
    st.sampled_from(sorted(LONG)),  # by a short name, for the message
    st.sampled_from(
        [
            "metrics.m > 1e999",
            "params.lr = 99999999999999999999999999",
            "created_at > '9999-12-31T23:59:59.999999999'",
            "name = '\ud800'",
            "name = '\x00'",
        ]
    ),
)
relaxed = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def asked(draw):
    path, names = draw(st.sampled_from(PLACES))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    return path, [(name, draw(TEXTS)) for name in chosen]


def answered(client, path, params):
    # As bytes: a browser can send what is no UTF-8.
    pairs = [(name, LONG.get(text, text).encode("utf-8", "surrogatepass")) for name, text in params]
    answer = client.get(path, params=pairs)
    assert "sqlalchemy" not in answer.text.lower()
    assert "Traceback" not in answer.text
    twin = client.get(path, params=[*pairs, ("format", "json")])
    assert twin.status_code == answer.status_code
    return answer.status_code < 500 and isinstance(twin.json(), dict)


@relaxed
@given(asked())
@example(("/runs", [("filter", "metrics.auc >")]))
@example(("/runs", [("page", "99999999999999999999")]))
def test_any_address_is_answered(site, found):
    assert answered(site, *found)


@relaxed
@given(st.sampled_from(PLACES[:3]), TEXTS)
@pytest.mark.services
def test_any_filter_is_answered_from_postgresql(busy, place, text):
    path, names = place
    for name in names:
        assert answered(busy, path, [(name, text)])


@pytest.fixture(scope="module")
def busy(postgres_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    with open_store(postgres_server.database(), artifacts=str(folder)) as store:
        for number in range(5):
            with start_run(f"r{number}", store=store, console=False, system_metrics=False) as run:
                run.log_param("lr", number)
                run.log_metric("m", number)
        yield TestClient(create_ui(store=store), base_url="http://127.0.0.1")


@pytest.mark.parametrize("path", ["/runs/{}", "/models/{}", "/artifacts/{}", "/predictions/{}"])
def test_any_name_in_a_path_is_answered(site, path):
    for name in ("x" * 5000, "%00", "%ff", "a%2Fb", "..%2F..%2Fetc%2Fpasswd", "%F0%9F%90%9F", "'"):
        answer = site.get(path.format(name))
        assert answer.status_code in {400, 404}, (name, answer.text[:300])
