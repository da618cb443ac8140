"""One result for every number of workers: trainings of digits in 1 to 4 processes."""

import os
import sys

import pytest

pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked here")

from tests.distributed.training import Trainer  # noqa: E402 - after the skip

EPOCHS = 7  # 56 steps; the last batch of each epoch has 5 rows for 8 shards


@pytest.fixture(scope="module")
def trainer():
    trainer = Trainer()
    yield trainer
    trainer.close()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("module", ["mlp", "cnn"])
def test_one_to_four_workers_train_the_same_weights(trainer, module, optimizer):
    digests = {
        workers: trainer.digest(workers, module=module, optimizer=optimizer, epochs=EPOCHS)
        for workers in (1, 2, 3, 4)
    }
    assert len(set(digests.values())) == 1, digests


def test_shards_that_are_no_power_of_two_train_the_same_weights(trainer):
    assert len({trainer.digest(workers, shards=6, epochs=1) for workers in (1, 2, 4)}) == 1


def test_training_continues_with_other_numbers_of_workers(trainer, tmp_path):
    """4 workers, then 2, then 3, stopped amid epochs, equal 1 worker undisturbed."""
    whole = trainer.digest(1, module="cnn", epochs=3)
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    trainer.digest(4, module="cnn", epochs=3, stop=5, end=first)
    trainer.digest(2, module="cnn", epochs=3, start=first, stop=14, end=second)
    assert trainer.digest(3, module="cnn", epochs=3, start=second) == whole


def test_the_comparison_fails_for_floats_given_to_all_reduce(trainer):
    """The negative control: only the order of the sum differs from the tree."""
    digests = {trainer.digest(workers, control=True, epochs=2) for workers in (1, 2, 4)}
    assert len(digests) > 1
    assert trainer.digest(1, control=True, epochs=2) == trainer.digest(1, epochs=2)


def test_plain_ddp_trains_other_weights_on_other_numbers_of_workers(trainer):
    digests = [trainer.digest(workers, invariant=False, epochs=1) for workers in (1, 2)]
    assert digests[0] != digests[1]


def test_shards_are_part_of_the_result(trainer):
    assert trainer.digest(1, shards=8, epochs=1) != trainer.digest(1, shards=4, epochs=1)


def test_more_workers_than_shards_are_refused_on_every_worker(trainer):
    refusals = [each["error"] for each in trainer.train(3, shards=2)]
    assert all("3 workers cannot train on 2 logical shards" in text for text in refusals)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor has one thread")
def test_threads_that_are_not_as_declared_are_refused(trainer):
    (result,) = trainer.train(1, threads=2)
    assert "torch uses 2 threads, and this training 1." in result["error"]
