"""A training of Lightning that was killed and resumed ends with the bits of an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')
lightning = pytest.importorskip(
    "lightning", reason="Lightning is not installed: pip install lightning"
)

import torch  # noqa: E402 - after the skip

from penstock.checkpoints import LightningCheckpoint  # noqa: E402 - after the skip
from penstock.core import ParameterError  # noqa: E402 - after the skip
from penstock.stores import open_store  # noqa: E402 - after the skip
from penstock.tracking import start_run  # noqa: E402 - after the skip


class KilledError(Exception):
    """Stands for the end of the process."""


class Net(lightning.LightningModule):  # type: ignore[name-defined]
    """A net whose training draws, and depends on all that a checkpoint has to hold."""

    def __init__(self, stop=None, manual=False):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(3, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.3), torch.nn.Linear(6, 1)
        )  # fmt: skip
        self.stop, self.seen, self.automatic_optimization = stop, 0, not manual

    def loss(self, batch):
        return (self.net(batch[0]) - batch[1]).square().mean()

    def training_step(self, batch, place):
        self.seen += 1
        if (self.current_epoch, place) == self.stop:
            raise KilledError
        batch[0] = batch[0] + torch.rand_like(batch[0]) * random.random() / 9
        loss = self.loss(batch)
        self.log("loss", loss, on_step=False, on_epoch=True)
        if not self.automatic_optimization:  # gradients go from epoch to epoch
            self.manual_backward(loss)
            if place % 4 == 2:
                self.optimizers().step()
                self.optimizers().zero_grad()
        return loss

    def on_train_epoch_end(self):
        if self.current_epoch == 2:
            self.trainer.should_stop = True  # heard once min_epochs are over

    def validation_step(self, batch, _):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.05, amsgrad=True)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss", "strict": False},
        }


class Shuffled(torch.utils.data.Sampler):
    """A sampler whose order is that of the epoch, as distributed samplers have it."""

    def __init__(self, rows):
        self.rows, self.epoch = rows, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.rows

    def __iter__(self):
        order = torch.Generator().manual_seed(self.epoch)
        return iter(torch.randperm(self.rows, generator=order).tolist())


def loaders(kind="plain"):
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(30, 3, generator=draw)
    data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
    options = {
        "plain": {"shuffle": True},
        "generator": {"shuffle": True, "generator": torch.Generator().manual_seed(5)},
        "sampler": {"sampler": Shuffled(30)},
    }[kind]
    train = torch.utils.data.DataLoader(data, batch_size=7, **options)
    return train, torch.utils.data.DataLoader(data, batch_size=30)


def train(*, stop=None, kind="plain", checkpoint=None, manual=False, folder=None, **settings):
    """Train, and return the weights with the state of the generators afterwards."""
    random.seed(0)
    torch.manual_seed(0)
    net = Net(stop, manual)
    early = lightning.pytorch.callbacks.EarlyStopping("val_loss", patience=2)
    kept = lightning.pytorch.callbacks.ModelCheckpoint(folder, monitor="val_loss", save_top_k=2)
    trainer = lightning.Trainer(
        **{
            "min_epochs": 7, "max_epochs": 9, "accelerator": "cpu", "devices": 1, "logger": False,
            "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1,
            "accumulate_grad_batches": 1 if manual else 2, **settings,
        },
        callbacks=[early, kept, *([] if checkpoint is None else [checkpoint])],
    )  # fmt: skip
    trainer.fit(net, *loaders(kind))
    weights = [each.numpy().tobytes() for each in net.state_dict().values()]
    found = (weights, torch.rand(1).item(), random.random(), trainer.global_step)
    return (
        found,
        (early.wait_count, float(early.best_score), float(kept.best_model_score)),
        net.seen,
    )


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "generator of the loader": {"kind": "generator"},
    "sampler with epochs": {"kind": "sampler"},
    "validation every second epoch": {"check_val_every_n_epoch": 2, "num_sanity_val_steps": 0},
    "gradients from epoch to epoch": {"manual": True, "check_val_every_n_epoch": 3},
}


@pytest.mark.filterwarnings("ignore")  # of Lightning, about few processors and the like
@pytest.mark.parametrize("case", CASES)
def test_a_stopped_training_continues_with_the_same_bits(case, tmp_path):
    settings = CASES[case]
    expected = train(folder=tmp_path / "alone", **settings)
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        with start_run("whole", store=store):
            saving = train(folder=tmp_path / "whole", checkpoint=LightningCheckpoint(), **settings)
        assert saving == expected  # saving changes nothing
        with pytest.raises(KilledError), start_run("killed", store=store) as run:
            train(
                stop=(4, 2), checkpoint=LightningCheckpoint(), folder=tmp_path / "own", **settings
            )
        with start_run(store=store, resume=run.run_id):
            found = train(checkpoint=LightningCheckpoint(), folder=tmp_path / "own", **settings)
    assert found[:2] == expected[:2]
    assert found[2] == expected[2] - 4 * 5  # the first four epochs were not repeated


JOB = """
import os, signal
from pathlib import Path

import lightning, torch
import penstock as ps
from tests.stores.lightning_net import LitNet


class Dying(lightning.Callback):
    def on_train_batch_end(self, trainer, *_):
        with open("batches.txt", "a") as file:
            file.write(f"{trainer.current_epoch}\\n")
        die = Path("die")
        if die.exists() and trainer.global_step == int(die.read_text()):
            die.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


@ps.step
def train(epochs: int) -> LitNet:
    net = LitNet(width=5)
    rows = torch.randn(64, 3)
    data = torch.utils.data.TensorDataset(rows, (rows[:, 0] > 0).long())
    lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=[Dying(), ps.checkpoints.LightningCheckpoint()],
    ).fit(net, torch.utils.data.DataLoader(data, batch_size=16, shuffle=True))
    return net.eval()


@ps.pipeline
def job(epochs: int = 6):
    return train(epochs)
"""


def penstock(folder, *words, code=0, **env):
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path.cwd()), **env},
    )
    assert done.returncode == code, done.stderr


def test_a_training_killed_by_kill_9_ends_with_the_digest_of_an_undisturbed_one(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(JOB)
    other = f"sqlite:///{tmp_path}/other.db"
    penstock(tmp_path, "run", "job.py", "-q", PENSTOCK_STORE=other)
    (tmp_path / "batches.txt").unlink()
    (tmp_path / "die").write_text("14")  # in the middle of epoch 3
    penstock(tmp_path, "run", "job.py", "-q", code=-signal.SIGKILL)
    penstock(tmp_path, "run", "--resume", "last", "-q")
    epochs = (tmp_path / "batches.txt").read_text().split()
    assert epochs == [*"000011112222", *"33", *"333344445555"]
    outputs = []
    for url in (other, f"sqlite:///{tmp_path}/.penstock/penstock.db"):
        with open_store(url) as store:
            run_id = store.metadata.runs.get("last").run_id
            outputs.append(store.metadata.steps.list(run_id)[-1].outputs["result"])
            assert store.metadata.artifacts.list(run_id) == {}  # no state is left behind
    assert outputs[0] == outputs[1]


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_resumed_exactly_is_refused(tmp_path):
    with start_run(store=f"sqlite:///{tmp_path}/store.db"):
        with pytest.raises(ParameterError, match="reload_dataloaders_every_n_epochs"):
            train(checkpoint=LightningCheckpoint("a"), reload_dataloaders_every_n_epochs=1)
        data = torch.utils.data.TensorDataset(torch.zeros(4, 3), torch.zeros(4, 1))
        workers = torch.utils.data.DataLoader(data, num_workers=1, persistent_workers=True)
        trainer = lightning.Trainer(
            callbacks=LightningCheckpoint("b"), max_epochs=1, logger=False, accelerator="cpu",
            enable_progress_bar=False, num_sanity_val_steps=0, enable_checkpointing=False,
        )  # fmt: skip
        with pytest.raises(ParameterError, match="persistent_workers"):
            trainer.fit(Net(), workers, torch.utils.data.DataLoader(data))


@pytest.mark.filterwarnings("ignore")
def test_a_second_training_never_continues_the_first(tmp_path):
    with start_run(store=f"sqlite:///{tmp_path}/store.db"):
        train(checkpoint=LightningCheckpoint("fold-1"), min_epochs=1, max_epochs=2, folder=tmp_path)
        with pytest.raises(ParameterError, match="'fold-1' was used before in this script"):
            train(
                checkpoint=LightningCheckpoint("fold-1"),
                min_epochs=1,
                max_epochs=2,
                folder=tmp_path,
            )


@pytest.mark.filterwarnings("ignore")
def test_outside_of_a_run_it_changes_nothing(tmp_path):
    expected = train(folder=tmp_path / "a", min_epochs=1, max_epochs=2)
    assert (
        train(folder=tmp_path / "b", min_epochs=1, max_epochs=2, checkpoint=LightningCheckpoint())
        == expected
    )
