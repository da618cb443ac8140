"""Graphics cards are counted: no more steps at once than there are cards for."""

import time
from itertools import pairwise

import penstock as ps
from penstock.execution import QuietReporter
from penstock.execution.runners._cards import Cards, card_environment, visible_cards


@ps.step(resources=ps.Resources(gpu=1))
def train(number: int) -> tuple[str, float, float]:
    import os

    began = time.monotonic()
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"], began, time.monotonic()


@ps.pipeline
def job():
    return ps.map(train, [0, 1, 2, 3])


def node(gpu):
    @ps.step(resources=ps.Resources(gpu=gpu))
    def asking() -> int:
        return 1

    @ps.pipeline
    def alone():
        return asking()

    return alone.trace()["asking"]


def test_cards_are_taken_and_given_back():
    cards = Cards(("0", "1"))
    assert cards.fits(node(2))
    first = cards.take(node(1))
    assert not cards.fits(node(2))
    assert cards.fits(node(0))
    assert (first, cards.take(node(1))) == (("0",), ("1",))
    assert not cards.fits(node(1))
    cards.give_back(first)
    assert cards.take(node(9)) == ("0",)  # more than there are: all that are free


def test_a_machine_without_cards_runs_such_steps_one_at_a_time():
    cards = Cards(())
    taken = cards.take(node(4))
    assert not cards.fits(node(1))
    assert card_environment(taken) == {}
    cards.give_back(taken)
    assert cards.fits(node(1))


def test_cards_are_those_that_cuda_may_use(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 1")
    assert visible_cards() == ("3", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_cards() == ()


def test_steps_that_ask_for_a_card_share_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    store = f"sqlite:///{tmp_path}/penstock.db"
    result = ps.run(job, runner="processes", workers=4, store=store, reporter=QuietReporter())
    cards, began, ended = result.output()
    assert set(cards) == {"5"}
    spans = sorted(zip(began, ended, strict=True))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
