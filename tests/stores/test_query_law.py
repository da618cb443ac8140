"""Any filter finds what a naive reading of it finds, in any order, page by page, in any database."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core import MetricColumns, NotFoundError, ParameterError
from penstock.stores import open_store
from penstock.testing._records import a_run, at

WORDS = ["a", "B", "ab", "Äb", "10", "1e1", "", "a%b", "\\", "it's", 'say "x"', "ünï"]
NUMBERS = [0, 1, 10, -1.5, 0.1, 1e300]
OPERATORS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass
class Seen:
    """A run as the naive reader sees it."""

    place: int
    name: str
    params: dict
    tags: dict
    points: list


def last(run: Seen, statistic: str) -> float | None:
    numbers = [value for value in run.points if not math.isnan(value)]
    if not run.points:
        return None
    if statistic == "count":
        return len(run.points)
    return {
        "last": run.points[-1],
        "first": run.points[0],
        "min": min(numbers, default=math.nan),
        "max": max(numbers, default=math.nan),
    }[statistic]


def as_text(value: object) -> str | None:
    return None if value is None else str(value)


def as_number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


TEXT_FIELDS = {
    "name": lambda run: run.name,
    "params.p": lambda run: as_text(run.params.get("p")),
    "params.`odd name`": lambda run: as_text(run.params.get("odd name")),
    "tags.t": lambda run: run.tags.get("t"),
}
NUMBER_FIELDS = {
    "params.p": lambda run: as_number(run.params.get("p")),
    "attempt": lambda _: 1.0,
    **{
        f"metrics.m{dot}": lambda run, statistic=statistic: last(run, statistic)  # type: ignore[misc]
        for dot, statistic in [
            ("", "last"),
            *((f".{s}", s) for s in ("min", "max", "first", "count")),
        ]
    },
}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ascii_lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def like(text: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(c, re.escape(c)) for c in ascii_lower(pattern))
    return re.fullmatch(expression, ascii_lower(text), re.DOTALL) is not None


def known(value, test) -> bool:
    """A test on what a run lacks is not met."""
    return value is not None and test(value)


@st.composite
def comparisons(draw):
    if draw(st.booleans()):
        name, get = draw(st.sampled_from(sorted(TEXT_FIELDS.items())))
        choices, show = WORDS, quoted
    else:
        name, get = draw(st.sampled_from(sorted(NUMBER_FIELDS.items())))
        choices, show = NUMBERS, repr  # type: ignore[assignment]
    one = draw(st.sampled_from(choices))
    several = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
    form = draw(st.sampled_from(["compare", "in", "null", "between", "like"]))
    inverse = draw(st.booleans())
    no = "not " if inverse else ""
    if form == "null":  # a text that is no number is there as well
        there = TEXT_FIELDS.get(name, get)
        return f"{name} is {no}null", lambda run: (there(run) is None) != inverse
    if form == "in":
        text = f"{name} {no}in ({', '.join(map(show, several))})"
        return text, lambda run: known(get(run), lambda v: (v in several) != inverse)
    if form == "between":
        low, high = one, several[0]
        text = f"{name} {no}between {show(low)} and {show(high)}"
        return text, lambda run: known(get(run), lambda v: (low <= v <= high) != inverse)
    if form == "like" and show is quoted:
        return f"{name} {no}like {quoted(one)}", lambda run: known(
            get(run), lambda v: like(v, one) != inverse
        )
    sign, test = draw(st.sampled_from(sorted(OPERATORS.items())))
    return f"{name} {sign} {show(one)}", lambda run: known(get(run), lambda v: test(v, one))


def grown(parts):
    both = st.tuples(parts, parts)
    return st.one_of(
        parts.map(lambda p: (f"not ({p[0]})", lambda run: not p[1](run))),
        both.map(
            lambda p: (f"({p[0][0]} AND {p[1][0]})", lambda run: p[0][1](run) and p[1][1](run))
        ),
        both.map(lambda p: (f"({p[0][0]} or {p[1][0]})", lambda run: p[0][1](run) or p[1][1](run))),
    )


filters = st.recursive(comparisons(), grown, max_leaves=8)
orders = st.lists(
    st.tuples(
        st.sampled_from(["name", "metrics.m", "metrics.m.max", "params.p", "tags.t", "created_at"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def fill(metadata) -> list[Seen]:
    random = np.random.default_rng(7)

    def maybe(choices):
        return None if random.random() < 0.3 else choices[random.integers(len(choices))]

    seen = []
    for place in range(60):
        params = {"p": maybe([*WORDS, *NUMBERS]), "odd name": maybe(WORDS)}
        params = {name: value for name, value in params.items() if value is not None}
        tag = maybe(WORDS)
        points = random.choice(
            [0.0, 0.1, 1.0, math.nan, math.inf, -1.5], random.integers(4)
        ).tolist()
        run = Seen(
            place, WORDS[random.integers(5)], params, {} if tag is None else {"t": tag}, points
        )
        record = a_run(
            name=run.name, params=run.params, tags=run.tags, created_at=at(place // 3), attempt=1
        )
        metadata.runs.create(record)
        steps = np.arange(len(points), dtype=np.float64)
        columns = MetricColumns(record.run_id, "m", steps, np.array(points), steps.astype(np.int64))
        metadata.metrics.append([columns])
        seen.append((record.run_id, run))
    return seen  # type: ignore[return-value]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)]
)
def searched(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    url = f"sqlite:///{folder}/penstock.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").database()
    with open_store(url, artifacts=str(folder)) as store:
        yield store.metadata, fill(store.metadata)


relaxed = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(found=filters)
def test_a_filter_finds_what_a_naive_reading_finds(searched, found):
    metadata, runs = searched
    text, meets = found
    expected = {run_id for run_id, run in runs if meets(run)}
    assert {run.run_id for run in metadata.runs.search(text)} == expected
    by_metric = metadata.runs.search(text, order_by="metrics.m desc")
    assert {run.run_id for run in by_metric} == expected
    assert metadata.runs.count(text) == len(expected)


def sort_keys(name: str):
    """What a field orders by, first things first: a parameter's numbers stand before its texts."""
    if name == "created_at":
        return [lambda run: run.place // 3]
    getters = [table[name] for table in (NUMBER_FIELDS, TEXT_FIELDS) if name in table]
    keys = [lambda run, get=get: number_or_none(get(run)) for get in getters]
    if name.startswith("metrics."):  # NaN stands between the numbers and what is missing
        keys.append(lambda run, get=getters[0]: None if get(run) is None else 0)
    return keys


def number_or_none(value):
    return None if isinstance(value, float) and math.isnan(value) else value


@relaxed
@given(found=filters, order=orders, size=st.integers(1, 25))
def test_pages_in_any_order_are_the_whole_in_that_order(searched, found, order, size):
    metadata, runs = searched
    text, meets = found
    expected = [(run_id, run) for run_id, run in runs if meets(run)]
    expected.sort(key=lambda pair: pair[1].place, reverse=order[-1][1])
    keys = [(key, descending) for name, descending in order for key in sort_keys(name)]
    for key, descending in reversed(keys):
        there = [pair for pair in expected if key(pair[1]) is not None]
        there.sort(key=lambda pair, key=key: key(pair[1]), reverse=descending)  # type: ignore[misc]
        expected = there + [pair for pair in expected if key(pair[1]) is None]
    order_by = ", ".join(f"{name} {'desc' if down else 'asc'}" for name, down in order)
    ids = [run_id for run_id, _ in expected]
    whole = metadata.runs.search(text, order_by=order_by)
    assert [run.run_id for run in whole] == ids
    by_offset = metadata.runs.search(text, order_by=order_by, limit=size, offset=size)
    assert [run.run_id for run in by_offset] == ids[size : 2 * size]
    pages, after = [], None
    while page := metadata.runs.search(text, order_by=order_by, limit=size, after=after):
        pages += [run.run_id for run in page]
        after = page[-1].run_id
    assert pages == ids


@relaxed
@given(
    st.text(max_size=40), st.text(alphabet="metricspan.` ,'\"<>=!()0123456789%-desc", max_size=40)
)
def test_no_text_gives_anything_but_runs_or_a_sentence(searched, some, soup):
    metadata, _ = searched
    for text in (some, soup, f"name = '{some}'", f"metrics.`{soup}` > 1"):
        for call in (
            lambda text=text: metadata.runs.search(text, limit=1),
            lambda text=text: metadata.runs.search(order_by=text, limit=1),
        ):
            with suppress(ParameterError):
                call()
    assert metadata.runs.count() == 60  # and no text has done anything


def test_a_page_after_a_run_that_is_not_there_is_refused(searched):
    with pytest.raises(NotFoundError, match="go on after"):
        searched[0].runs.search(after="nobody")
