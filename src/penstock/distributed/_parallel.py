"""DataParallel: the same result for every number of workers, by logical shards and a fixed tree."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.core import ConflictError, DataError, ParameterError, require_number
from penstock.distributed._batches import default_seed
from penstock.distributed._exchange import exchange, join_slots
from penstock.distributed._facts import check_threads, record_facts, worker_facts
from penstock.distributed._generators import key_seed, seed_generators
from penstock.distributed._layout import Layout, Slot
from penstock.distributed._modules import BufferRules, require_known, require_one_device
from penstock.distributed._rows import count_rows, take_rows
from penstock.distributed._tree import TREE_VERSION, TreeNode, TreeSum, cut_rows, shards_of
from penstock.distributed._world import find_world, import_torch, join_world, require_same
from penstock.tracking import current_step

Loss = Callable[..., Any]
DEFAULT_SHARDS = 8


class DataParallel:
    """Training of a module on many workers, with the same bits for every number of workers.

    ```python
    parallel = ps.distributed.DataParallel(model, torch.optim.Adam(model.parameters()), shards=8)


    def loss(model, x, y):
        return torch.nn.functional.cross_entropy(model(x), y)


    for batch in ps.distributed.Batches(len(x), size=256, epochs=3):
        parallel.step((x[batch.rows], y[batch.rows]), loss)
    ```

    Every worker is given the whole batch and computes a part of the logical shards. Without a
    launcher there is a single worker, which computes all shards.

    Args:
        module: The module, the same on all workers; the parameters of the first worker are sent to
            the rest.
        optimizer: An optimizer of the module's parameters.
        shards: Number of logical shards, at least the number of workers. A different number is
            a different result. By default the number that the step declares; outside of steps 8.
        seed: Seed of random draws in the module; by default the seed of the step.
        threads: Threads of torch on each worker; the number is part of the result.
        invariant: False for torch's DistributedDataParallel, whose result depends on the number of
            workers.

    Raises:
        ParameterError: If the module, the optimizer or the number of workers rules out an equal
            result for every number of workers; by name.
    """

    def __init__(
        self,
        module: Any,  # Any: a torch Module; torch is optional
        optimizer: Any,  # Any: a torch Optimizer
        *,
        shards: int | None = None,
        seed: int | None = None,
        threads: int | None = None,
        invariant: bool = True,
    ) -> None:
        torch = self._torch = import_torch()
        self.module, self.optimizer = module, optimizer
        self._device = require_one_device(module)
        self.seed = default_seed() if seed is None else seed
        self.steps = 0
        """Number of steps of training that are done."""
        self.invariant = invariant
        self.threads = check_threads(torch, threads) if invariant else torch.get_num_threads()
        if invariant:
            require_known(torch, module, optimizer)
            fixed = _find_shards(shards)
            # Before the workers connect: whoever is refused first would end, and the others would
            # see a broken connection instead of the reason.
            _require_fit(find_world().size, fixed)
            self.world, self.shards = join_world(), fixed
            _require_fit(self.world.size, fixed)  # of a group that the user's code has made
        else:
            _require_plain()
            self.world = join_world()
            self.shards = self.world.size
        facts = worker_facts(torch, module, self._device)
        require_same({**facts, "shards": self.shards, "seed": self.seed}, self.world)
        self._called = module if invariant else self._plain_module()
        self._layout: Layout | None = None
        self._shape: list[Any] = []
        record_facts(self)
        if invariant:
            self._send_start()

    def step(
        self,
        batch: Any,  # Any: tensors in a tuple, list or dict
        loss: Loss,
    ) -> float:
        """Train on a batch: compute gradients, step the optimizer and clear the gradients.

        Args:
            batch: The whole batch, the same on all workers: a tensor, or a tuple, list or dict of
                tensors with equally many rows.
            loss: Function of the module and of the batch's tensors that returns the mean loss over
                the rows. A tuple or list is passed as arguments, any other batch as a single
                argument.

        Returns:
            The mean loss over the batch.

        Raises:
            DataError: If the batch has no rows, or the tensors do not have equally many.
            ParameterError: If a module changed state that does not combine over shards.
        """
        value = self.backward(batch, loss)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return value

    def backward(
        self,
        batch: Any,  # Any: tensors in a tuple, list or dict
        loss: Loss,
    ) -> float:
        """Compute the gradients of a batch into ``.grad``, for clipping before the optimizer's step.

        Args:
            batch: As for `step`.
            loss: As for `step`.

        Returns:
            The mean loss over the batch.
        """
        rows = count_rows(self._torch, batch)
        self._called.zero_grad(set_to_none=True)
        value = (
            self._sharded(batch, rows, loss) if self.invariant else self._plain(batch, rows, loss)
        )
        self.steps += 1
        return value

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training, for a checkpoint beside module and optimizer."""
        return {
            "steps": self.steps,
            "seed": self.seed,
            "shards": self.shards,
            "threads": self.threads,
            "invariant": self.invariant,
            "tree": TREE_VERSION,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the place in a checkpoint; the number of workers may differ.

        Raises:
            ConflictError: If the result would differ: different shards, seed, threads or tree.
        """
        mine = self.state_dict()
        for name in sorted(mine.keys() - {"steps"}):
            if state.get(name) != mine[name]:
                raise ConflictError(
                    what=f"The checkpoint has {name}={state.get(name)!r}, this training"
                    f" {name}={mine[name]!r}.",
                    why="Continued, it would equal neither training.",
                    fix=f"Use {name}={state.get(name)!r}, or start anew without the checkpoint.",
                )
        self.steps = int(state["steps"])

    def _sharded(self, batch: Any, rows: int, loss: Loss) -> float:
        cuts, total = cut_rows(rows, self.shards), TreeSum(join_slots)
        rules = BufferRules(self._torch, self.module)
        for shard in shards_of(self.world.rank, self.world.size, self.shards):
            start, stop = cuts[shard]
            slot = None
            if stop > start:
                rules.restore()
                seed_generators(self._torch, self._key("shard", shard), self._device)
                part = take_rows(self._torch, batch, start, stop)
                slot = self._shard(part, loss, (stop - start) / rows, rules)
            total.add(TreeNode(0, shard), slot)
        rules.require_unchanged()
        layout = self._layout_of(rules)
        result = exchange(layout, total, self.world, self.shards)
        assert result is not None  # a batch has rows
        value = self._take(result, rules)
        layout.release(result)  # read until the next step fills it
        seed_generators(self._torch, self._key("after"), self._device)
        return value

    def _shard(self, part: Any, loss: Loss, weight: float, rules: BufferRules) -> Slot:
        """Compute the gradients, buffers and loss of a shard, weighted by rows."""
        parameters = self._parameters()
        for parameter in parameters:
            parameter.grad = None
        value = _call(loss, self.module, part)
        (value * weight).backward()
        weighted = [buffer * weight for buffer in rules.averaged]
        mean = value.detach().to(self._torch.float64).reshape(1) * weight
        slot = self._layout_of(rules).take()
        slot.fill([*(parameter.grad for parameter in parameters), *weighted, mean])
        return slot

    def _take(self, result: Slot, rules: BufferRules) -> float:
        parameters = self._parameters()
        for place, parameter in enumerate(parameters):
            parameter.grad = result.views[place] if result.present[place] else None
        rules.finish(result.views[len(parameters) : -1])
        return float(result.views[-1].item())

    def _plain(self, batch: Any, rows: int, loss: Loss) -> float:
        """Compute gradients as DistributedDataParallel does; the batch is cut over the workers."""
        world = self.world
        start, stop = cut_rows(rows, world.size)[world.rank]
        if rows < world.size:
            raise DataError(
                what=f"A batch of {rows} rows was given to {world.size} workers.",
                why="DistributedDataParallel needs rows on each worker.",
                fix="Use larger batches, or Batches(…, drop_last=True).",
            )
        value = _call(loss, self._called, take_rows(self._torch, batch, start, stop))
        weight = (stop - start) / rows
        (value * (weight * world.size)).backward()  # gradients are averaged over the workers
        mean = value.detach().to(self._torch.float64) * weight
        if world.size > 1:
            self._torch.distributed.all_reduce(mean)
        return float(mean.item())

    def _plain_module(self) -> Any:
        if self.world.size == 1:
            return self.module
        return self._torch.nn.parallel.DistributedDataParallel(self.module)

    def _parameters(self) -> list[Any]:
        return [each for each in self.module.parameters() if each.requires_grad]

    def _layout_of(self, rules: BufferRules) -> Layout:
        """Return the memory's layout, which changes with the trained parameters."""
        loss = self._torch.zeros(1, dtype=self._torch.float64, device=self._parameters()[0].device)
        like = [*self._parameters(), *rules.averaged, loss]
        shape = [(tuple(tensor.shape), tensor.dtype) for tensor in like]
        if self._layout is None or self._shape != shape:
            self._layout, self._shape = Layout(self._torch, like), shape
        return self._layout

    def _send_start(self) -> None:
        """Give all workers the parameters and buffers of the first worker."""
        if self.world.size > 1:
            for tensor in self._tensors():
                self._torch.distributed.broadcast(tensor.detach(), src=0)

    def _tensors(self) -> Iterator[Any]:
        yield from self.module.parameters()
        yield from self.module.buffers()

    def _key(self, purpose: str, *path: int) -> int:
        return key_seed(self.seed, purpose, self.steps, *path)


def _call(loss: Loss, module: Any, part: Any) -> Any:
    arguments = part if isinstance(part, tuple | list) else (part,)
    try:
        return loss(module, *arguments)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise DataError(
            what="BatchNorm was given a shard with a single row.",
            why="A row has no variance.",
            fix="Use batches of at least 2 rows for each shard (Batches(…, drop_last=True)), fewer"
            " shards, or another normalization, such as LayerNorm.",
        ) from error


def _find_shards(shards: int | None) -> int:
    """Return the number of shards: as given, as the step declares, or the default."""
    step = current_step()
    declared = None if step is None else step.shards
    if shards is not None:
        require_number("shards", shards, low=1, whole=True)
    if step is not None and declared is None:
        raise ParameterError(
            what=f"Step {step.step!r} trains on logical shards and does not declare them.",
            why="Shards and workers decide what the step's cached result stands for.",
            fix=f"Declare them: @ps.step(shards={shards or DEFAULT_SHARDS}).",
        )
    if shards is not None and declared is not None and shards != declared:
        raise ParameterError(
            what=f"The step declares shards={declared}, and DataParallel was given shards={shards}.",
            why="Another number of shards is another result.",
            fix="Leave shards out: DataParallel uses the step's.",
        )
    return shards or declared or DEFAULT_SHARDS


def _require_fit(workers: int, shards: int) -> None:
    if workers > shards:
        raise ParameterError(
            what=f"{workers} workers cannot train on {shards} logical shards.",
            why="A worker without a shard would have nothing to compute.",
            fix=f"Use at most {shards} workers, or more shards (which is another result).",
        )


def _require_plain() -> None:
    step = current_step()
    if step is not None and step.shards is not None:
        raise ParameterError(
            what=f"Step {step.step!r} declares shards={step.shards} and trains with plain DDP.",
            why="Its result would be cached for every number of workers.",
            fix="Remove shards from @ps.step, or use DataParallel without invariant=False.",
        )
