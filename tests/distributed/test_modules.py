"""Modules, buffers and optimizers that depend on the number of workers are refused by name."""

import pytest

torch = pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')

from torch import nn  # noqa: E402 - after the skip

from penstock.core import ConflictError, DataError, ParameterError  # noqa: E402 - after the skip
from penstock.distributed import Batches, DataParallel  # noqa: E402 - after the skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def parallel(module, **options):
    return DataParallel(module, torch.optim.SGD(module.parameters(), lr=0.1), **options)


def loss(model, x):
    return model(x).square().mean()


class Counter(nn.Module):
    """A module whose state is a number."""

    def __init__(self):
        super().__init__()
        self.inner, self.calls = nn.Linear(3, 3), 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x)


class Moving(nn.Module):
    """A module with a buffer that moves by a rule of its own."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x):
        self.seen += x.detach().sum(0)
        return self.inner(x)


class Drawing(nn.Module):
    """A module with a generator."""

    def __init__(self):
        super().__init__()
        self.inner, self.draws = nn.Linear(3, 3), torch.Generator()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.SyncBatchNorm(3)), "Module '1' (SyncBatchNorm)"),
        (nn.Sequential(nn.Embedding(9, 3, sparse=True)), "Module '0' (Embedding) has sparse"),
        (nn.Sequential(Drawing()), "Module '0' (Drawing) draws from a generator of its own"),
        (nn.Sequential(nn.LazyLinear(3)), "Parameter '0.weight' has no shape yet"),
        (nn.Identity(), "Identity has no parameters"),
    ],
)
def test_a_module_is_refused_by_name(module, words):
    with pytest.raises(ParameterError) as refusal:
        DataParallel(module, None)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("module", "words"), [(Counter(), "(Counter) changes its state 'calls'"), (Moving(), "'seen'")]
)
def test_state_that_moves_by_an_unknown_rule_is_refused_by_name(module, words):
    with pytest.raises(ParameterError) as refusal:
        parallel(nn.Sequential(nn.Linear(3, 3), module)).step(torch.ones(4, 3), loss)
    assert "Module '1'" in str(refusal.value)
    assert words in str(refusal.value)


def test_an_optimizer_that_asks_for_the_loss_again_is_refused():
    module = nn.Linear(3, 3)
    with pytest.raises(ParameterError, match="LBFGS"):
        DataParallel(module, torch.optim.LBFGS(module.parameters()))


def test_frozen_statistics_stay_as_they_are():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    module[1].eval()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    parallel(module).step(torch.randn(40, 3), loss)
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())


def test_statistics_are_averaged_by_rows_and_steps_are_counted_once():
    module = nn.BatchNorm1d(3, momentum=1.0)
    x = torch.randn(20, 3)
    parallel(module, shards=3).step(x, loss)
    means = [x[0:6].mean(0), x[6:13].mean(0), x[13:20].mean(0)]
    expected = sum(mean * rows for mean, rows in zip(means, (6, 7, 7), strict=True)) / 20
    assert torch.allclose(module.running_mean, expected, atol=1e-6)
    assert module.num_batches_tracked.item() == 1


def test_gradients_are_those_of_the_whole_batch():
    module, x = nn.Linear(3, 2), torch.randn(21, 3)
    loss(module, x).backward()
    expected = {name: each.grad.clone() for name, each in module.named_parameters()}
    value = parallel(module).backward(x, loss)
    assert value == pytest.approx(loss(module, x).item())
    for name, each in module.named_parameters():
        assert torch.allclose(each.grad, expected[name], atol=1e-6)


def test_parameters_without_a_gradient_keep_none():
    module = nn.ModuleDict({"used": nn.Linear(3, 2), "unused": nn.Linear(3, 2)})
    parallel(module).backward(torch.ones(9, 3), lambda model, x: model["used"](x).sum())
    assert module["unused"].weight.grad is None
    assert module["used"].weight.grad is not None


def test_batch_norm_of_a_single_row_says_how_to_cut():
    with pytest.raises(DataError, match=r"a shard with a single row.*drop_last"):
        parallel(nn.Sequential(nn.BatchNorm1d(3))).step(torch.ones(5, 3), loss)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (torch.ones(0, 3), "has no rows"),
        ((torch.ones(4, 3), torch.ones(5)), r"different numbers of rows: \[4, 5\]"),
        ([1, 2, 3], "holds int"),
        (torch.tensor(1.0), "has no rows to cut"),
    ],
)
def test_a_batch_without_rows_to_cut_is_refused(batch, words):
    with pytest.raises((DataError, ParameterError), match=words):
        parallel(nn.Linear(3, 3)).step(batch, loss)


def test_a_checkpoint_of_other_shards_is_refused():
    state = parallel(nn.Linear(3, 3), shards=4).state_dict()
    with pytest.raises(ConflictError, match="shards=4"):
        parallel(nn.Linear(3, 3), shards=8).load_state_dict(state)


def test_batches_continue_as_if_never_interrupted():
    batches = Batches(10, size=4, epochs=3, seed=5)
    whole = [(each.epoch, each.rows.tolist()) for each in batches]
    assert [(each.epoch, each.rows.tolist()) for each in batches.after(4)] == whole[4:]
    assert [len(rows) for _, rows in whole] == [4, 4, 2] * 3
    assert sorted(row for epoch, rows in whole if epoch == 1 for row in rows) == list(range(10))
    assert len(Batches(10, size=4, epochs=3, drop_last=True)) == 6
