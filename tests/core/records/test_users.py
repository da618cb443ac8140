"""The project of a name: the longest match, whatever the order of the projects."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DEFAULT_PROJECT, ProjectRecord, project_of

AT = datetime(2026, 1, 31, tzinfo=UTC)
names = st.text("ab-", max_size=5)
patterns = st.builds(str.__add__, names, st.sampled_from(["", "*"]))


@given(names, st.dictionaries(patterns, st.sampled_from("xyz"), max_size=6), st.randoms())
def test_the_longest_match_decides_in_any_order(name, owners, random):
    projects = [
        ProjectRecord(each, tuple(p for p, owner in owners.items() if owner == each), AT)
        for each in "xyz"
    ]
    expected = DEFAULT_PROJECT
    for length in range(len(name), -1, -1):  # by hand: exact first, then ever shorter beginnings
        if length == len(name) and name in owners and not name.endswith("*"):
            expected = owners[name]
            break
        if name[:length] + "*" in owners:
            expected = owners[name[:length] + "*"]
            break
    random.shuffle(projects)
    assert project_of(name, projects) == expected


def test_an_exact_name_wins_over_a_beginning_of_the_same_length():
    a, b = ProjectRecord("a", ("m*",), AT), ProjectRecord("b", ("m",), AT)
    assert [project_of(name, [a, b]) for name in ("m", "m1", "n")] == ["b", "a", "default"]
