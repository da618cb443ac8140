"""Randomized searches: their distributions come back as SciPy's own, and no file names anything else."""

import numpy as np
import pytest
from scipy import stats
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - the halving search needs it
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import SerializationError
from penstock.stores.artifacts.models._distributions import NamedDistribution, with_names
from penstock.stores.artifacts.models._object_digest import digest_object
from penstock.stores.artifacts.models._skops import read_estimator, write_estimator

ROWS = np.random.default_rng(0).normal(size=(90, 3))
LABELS = (ROWS[:, 0] > 0).astype(int)


def searched(space, kind=RandomizedSearchCV, **options):
    model = LogisticRegression(max_iter=500)
    options = {"n_iter": 3, **options} if kind is RandomizedSearchCV else options
    return kind(model, space, random_state=1, cv=3, **options).fit(ROWS, LABELS)


SPACES = {
    "range": {"C": stats.loguniform(1e-3, 10.0)},
    "whole": {
        "C": stats.uniform(loc=np.float64(0.5), scale=2),
        "max_iter": stats.randint(300, 500),
    },
    "lists": [{"C": stats.expon()}, {"C": [1.0, 2.0]}],
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_randomized_search_comes_back_with_its_distributions(space):
    search = searched(space)
    before = search.param_distributions
    stored = write_estimator(search, digest_object(search))
    assert search.param_distributions is before  # the user's own search stays as it was
    assert write_estimator(search, digest_object(search)).data == stored.data
    loaded = read_estimator(stored.data)
    assert digest_object(loaded) == stored.content_digest
    assert (loaded.predict_proba(ROWS) == search.predict_proba(ROWS)).all()
    again = loaded.fit(ROWS, LABELS)  # draws the same candidates
    assert again.cv_results_["params"] == search.cv_results_["params"]


def test_a_search_inside_of_a_pipeline_and_one_that_halves_come_back():
    space = SPACES["range"]
    halving = searched(space, HalvingRandomSearchCV, n_candidates=4)
    pipeline = make_pipeline(StandardScaler(), searched(space)).fit(ROWS, LABELS)
    for model in (halving, pipeline):
        loaded = read_estimator(write_estimator(model, digest_object(model)).data)
        assert digest_object(loaded) == digest_object(model)
        assert (loaded.predict(ROWS) == model.predict(ROWS)).all()


def test_other_numbers_are_another_search():
    one, two = (searched({"C": stats.uniform(1, width)}) for width in (2, 3))
    two.__dict__ |= {k: v for k, v in vars(one).items() if k != "param_distributions"}
    assert digest_object(one) != digest_object(two)


def test_the_digest_does_not_count_what_others_drew():
    search = searched(SPACES["range"])
    before = digest_object(search)
    np.random.random(3)  # noqa: NPY002 - SciPy's distributions share this generator
    assert digest_object(search) == before


class OwnLaw(stats.rv_continuous):
    def _pdf(self, x):
        return 2 * x


@pytest.mark.parametrize(
    "law",
    [
        OwnLaw(a=0, b=1, name="uniform")(),
        stats.rv_histogram(np.histogram([1.0, 2.0, 3.0]))(),
        stats.rv_discrete(values=([1, 2], [0.5, 0.5]))(),
        stats.uniform(np.array([1.0, 2.0])),
    ],
    ids=["own", "histogram", "values", "array"],
)
def test_what_a_name_and_numbers_do_not_give_is_refused(law):
    assert NamedDistribution.of(law) is None
    search = searched({"C": [1.0]}, n_iter=1)
    search.param_distributions = {"C": law}
    assert with_names(search) is search
    with pytest.raises(SerializationError):
        write_estimator(search, "sha256:0")


def test_a_generator_of_its_own_is_no_name():
    law = stats.uniform(1, 2)
    law.random_state = np.random.RandomState(7)
    assert NamedDistribution.of(law) is None
    assert NamedDistribution.of(1.5) is None


@pytest.mark.parametrize("name", ["os", "norm.__class__", "rv_continuous", "", "kstest"])
def test_a_file_can_name_nothing_but_a_distribution(name):
    search = searched({"C": [1.0]}, n_iter=1)
    search.param_distributions = {"C": NamedDistribution(name, [], {})}
    stored = write_estimator(search, "sha256:0")
    with pytest.raises(SerializationError, match="cannot make"):
        read_estimator(stored.data)


def test_other_arguments_than_numbers_are_refused():
    for arguments in (["1"], [None], [[1]]):
        with pytest.raises(SerializationError, match="cannot make"):
            NamedDistribution("norm", arguments, {}).frozen()  # type: ignore[arg-type] # of a file
    with pytest.raises(SerializationError, match="cannot make"):
        NamedDistribution("norm", [1, 2, 3, 4, 5], {}).frozen()
