"""Resources and Retry: what cannot be meant is refused, and waiting grows as it says."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DefinitionError
from penstock.pipelines import Resources, Retry, step

OS_ERROR = ["builtins.FileNotFoundError", "builtins.OSError", "builtins.Exception"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_retries": -1}, "max_retries=-1"),
        ({"delay": "soon"}, "delay='soon'"),
        ({"max_delay": "x"}, "max_delay='x'"),
        ({"backoff": 0.5}, "backoff=0.5"),
        ({"jitter": 2}, "jitter=2"),
        ({"retry_on": ("OSError",)}, "retry_on="),
        ({"never_on": int}, "never_on="),
    ],
)
def test_a_retry_that_cannot_be_meant_is_refused(options, words):
    with pytest.raises(DefinitionError, match=words):
        Retry(**options)


@pytest.mark.parametrize("options", [{"memory": "much"}, {"cpu": 0}, {"gpu": -1}])
def test_resources_that_cannot_be_meant_are_refused(options):
    with pytest.raises(DefinitionError):
        Resources(**options)


@given(
    st.floats(0.001, 10), st.floats(1, 5), st.floats(0.01, 60), st.floats(0, 1), st.integers(1, 40)
)
def test_delays_grow_by_the_backoff_up_to_the_maximum_and_jitter_only_adds(
    wait, backoff, max_delay, jitter, attempt
):
    plain = Retry(3, delay=wait, backoff=backoff, max_delay=max_delay)
    seconds = plain.seconds(attempt)
    first, most = (duration.total_seconds() for duration in (plain.delay, plain.max_delay))  # type: ignore[union-attr]
    assert seconds == pytest.approx(min(first * backoff ** (attempt - 1), most))
    assert first == pytest.approx(wait, abs=1e-6)
    shaken = Retry(3, delay=wait, backoff=backoff, max_delay=max_delay, jitter=jitter)
    assert seconds <= shaken.seconds(attempt, "key") <= seconds * (1 + jitter) + 1e-9
    assert shaken.seconds(attempt, "key") == shaken.seconds(attempt, "key")


def test_exceptions_decide_by_class_and_by_what_it_derives_from():
    retry = Retry(2, retry_on=OSError, never_on=(FileNotFoundError,))  # type: ignore[arg-type]
    assert retry.wants(1, ["builtins.TimeoutError", "builtins.OSError"])
    assert not retry.wants(1, OS_ERROR)
    assert not retry.wants(1, ["builtins.ValueError", "builtins.Exception"])
    assert not retry.wants(3, ["builtins.OSError"])
    assert Retry(1).wants(1, ["builtins.SystemExit", "builtins.BaseException"])
    assert Retry(1, delay="2s").seconds(1) == timedelta(seconds=2).total_seconds()


@pytest.mark.parametrize(
    "options", [{"retries": "3"}, {"priority": "high"}, {"concurrency_limit": " "}]
)
def test_a_step_with_options_that_cannot_be_meant_is_refused(options):
    with pytest.raises(DefinitionError):
        step(**options)(lambda x: x)


def test_the_policy_survives_another_name():
    @step(
        retries=Retry(2), priority=3, concurrency_limit="warehouse", isolate=True, uses=["a.json"]
    )
    def read() -> int:
        return 1

    other = read.named("again")
    assert (other.retries, other.priority, other.concurrency_limit) == (2, 3, "warehouse")
    assert (other.isolate, other.uses) == (True, ("a.json",))
