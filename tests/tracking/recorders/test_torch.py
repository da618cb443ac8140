"""torch and Lightning report to the run that is active; real trainings, a few steps each."""

import subprocess
import sys

import pytest

from penstock.tracking import autolog, get_run, search_runs, start_run

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
lightning = pytest.importorskip(
    "lightning.pytorch", reason="Lightning is not installed: pip install lightning"
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore:.*:FutureWarning")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    autolog()
    yield
    autolog(on=False)


def train(steps=4, **settings):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], **{"lr": 0.5, **settings})
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        schedule.step()


class Line(lightning.LightningModule):  # type: ignore[name-defined]
    """A line through points, as small as a module gets."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, _):
        x, y = batch
        loss = ((self.layer(x) - y) ** 2).mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        self.log("val_loss", ((self.layer(x) - y) ** 2).mean())

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


def rows():
    x = torch.linspace(0, 1, 32).reshape(-1, 1)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 2 * x), batch_size=8)


def trainer(folder, **settings):
    return lightning.Trainer(
        **{
            "max_epochs": 3, "log_every_n_steps": 1, "accelerator": "cpu", "devices": 1,
            "enable_progress_bar": False, "enable_model_summary": False,
            "default_root_dir": folder, "logger": False, **settings,
        }
    )  # fmt: skip


def test_an_optimizer_tells_its_settings_and_learning_rates():
    with start_run() as run:
        train(momentum=0.9)
    assert run.params["optimizer"] == "SGD"
    assert run.params["momentum"] == 0.9
    rates = run.metric_history("lr")
    assert rates["step"].to_list() == [0, 2]  # where they change
    assert rates["value"].to_list() == pytest.approx([0.5, 0.05])


def test_two_optimizers_and_groups_are_told_apart():
    with start_run() as run:
        train(steps=1)
        one, two = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
        groups = [{"params": [one], "lr": 0.1}, {"params": [two], "lr": torch.tensor(0.25)}]
        optimizer = torch.optim.Adam(groups)
        (one + two).sum().backward()
        optimizer.step()
    assert run.params["optimizer"] == "SGD"
    assert run.params["Adam.optimizer"] == "Adam"
    assert (run.metrics["lr-0"], run.metrics["lr-1"]) == (0.1, 0.25)


def test_without_a_run_and_when_it_is_off_steps_leave_no_trace():
    train()
    assert search_runs() == []
    autolog("torch", on=False)
    with start_run() as run:
        train()
    assert (run.params, run.metrics) == ({}, {})


def test_a_lightning_training_is_a_run_with_what_the_module_logs(tmp_path):
    fitted = trainer(tmp_path)
    fitted.fit(Line(rate=0.2), rows(), rows())
    [run] = search_runs()
    assert (run.name, run.state) == ("Line", "finished")
    assert run.params["rate"] == 0.2
    assert (run.params["max_epochs"], run.params["parameters"]) == (3, 2)
    losses = run.metric_history("train_loss")
    assert losses["step"].to_list() == list(range(12))
    assert run.metric_history("val_loss")["step"].to_list() == [3, 7, 11]
    assert run.metrics["val_loss"] == pytest.approx(float(fitted.callback_metrics["val_loss"]))
    assert run.metrics["epochs"] == 3
    assert run.tags["module"] == "Line"
    assert fitted.loggers == []  # left as it was


def test_the_best_checkpoint_is_told(tmp_path):
    keep = lightning.callbacks.ModelCheckpoint(dirpath=tmp_path, monitor="val_loss")
    trainer(tmp_path, callbacks=[keep]).fit(Line(), rows(), rows())
    [run] = search_runs()
    assert run.metrics["best_model_score"] == pytest.approx(float(keep.best_model_score))
    assert run.tags["best_model_path"] == keep.best_model_path


def test_fits_and_tests_go_to_the_active_run(tmp_path):
    with start_run("mine") as run:
        fitted = trainer(tmp_path)
        module = Line()
        fitted.fit(module, rows())
        [result] = fitted.test(module, rows(), verbose=False)
    assert len(search_runs()) == 1
    assert run.metrics["val_loss"] == pytest.approx(result["val_loss"])
    fitted.validate(module, rows(), verbose=False)
    assert len(search_runs()) == 1  # a validation alone is no training


def test_a_training_that_fails_is_a_failed_run(tmp_path):
    class Broken(Line):
        def training_step(self, batch, number):
            raise ValueError("no gradient today")

    with pytest.raises(ValueError, match="no gradient today"):
        trainer(tmp_path).fit(Broken(), rows())
    [run] = search_runs()
    assert run.state == "failed"


SPAWNED = """
import penstock as ps
ps.autolog()
import lightning.pytorch, torch
from tests_line import Line, rows, trainer
if __name__ == "__main__":
    with ps.start_run("two processes") as run:
        trainer(".", strategy="ddp_spawn", devices=2).fit(Line(), rows(), rows())
    print(run.run_id)
"""


@pytest.mark.slow
def test_two_processes_log_once(tmp_path):
    source = open(__file__).read()  # noqa: SIM115, PTH123 - the module as the children import it
    (tmp_path / "tests_line.py").write_text(source)
    (tmp_path / "job.py").write_text(SPAWNED)
    done = subprocess.run(
        [sys.executable, "job.py"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    run = get_run(done.stdout.split()[-1], store=f"sqlite:///{tmp_path}/.penstock/penstock.db")
    assert run.state == "finished"
    assert run.metric_history("val_loss")["step"].to_list() == [1, 3, 5]
    assert run.metric_history("train_loss")["step"].to_list() == list(range(6))
