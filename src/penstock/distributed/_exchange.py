"""Sum of tree nodes over workers: every worker finishes the same tree, in the same order."""

from typing import Any

from penstock.distributed._layout import Layout, Slot
from penstock.distributed._tree import TreeNode, TreeSum, is_butterfly, shards_of, subtrees
from penstock.distributed._world import World


def join_slots(left: Slot, right: Slot) -> Slot:
    """Add two sibling nodes; the memory of the right node is released."""
    left.add(right)
    right.layout.release(right)
    return left


def exchange(layout: Layout, own: TreeSum[Slot], world: World, shards: int) -> Slot | None:
    """Return the sum over all shards from the sum of this worker's shards.

    Args:
        layout: Places in the memory of the nodes.
        own: This worker's shards, all added.
        world: The workers.
        shards: Number of logical shards.

    Returns:
        The same bits on each worker; None if all shards are empty.
    """
    if world.size == 1:
        return own.total()
    distributed = layout.torch.distributed
    if is_butterfly(world.size, shards):
        return _swap(layout, own.total(), world, distributed)
    return _send_all(layout, own, world, shards)


def _swap(layout: Layout, own: Slot | None, world: World, distributed: Any) -> Slot | None:
    """Exchange with a single worker in each round: log2 W rounds."""
    for bit in range(world.size.bit_length() - 1):
        other = world.rank ^ (1 << bit)
        mine = own or layout.take()
        mine.seal(empty=own is None)
        theirs = layout.take()
        requests = distributed.batch_isend_irecv(
            [
                distributed.P2POp(distributed.isend, mine.data, other),
                distributed.P2POp(distributed.irecv, theirs.data, other),
            ]
        )
        for request in requests:
            request.wait()
        left, right = (mine, theirs) if world.rank < other else (theirs, mine)
        received = theirs.unseal()
        if received and own is not None:
            own = join_slots(left, right)
        else:
            layout.release(mine if received else theirs)
            own = theirs if received else own
    return own


def _send_all(layout: Layout, own: TreeSum[Slot], world: World, shards: int) -> Slot | None:
    """Send every worker's nodes to all workers, in the order of the shards."""
    total: TreeSum[Slot] = TreeSum(join_slots)
    known = dict(own.nodes())
    for rank in range(world.size):
        for node in subtrees(shards_of(rank, world.size, shards)):
            value = known.get(node) if rank == world.rank else None
            total.add(node, _send_one(layout, node, value, rank == world.rank, rank))
    return total.total()


def _send_one(
    layout: Layout, _node: TreeNode, value: Slot | None, is_own: bool, rank: int
) -> Slot | None:
    slot = value or layout.take()
    if is_own:
        slot.seal(empty=value is None)
    layout.torch.distributed.broadcast(slot.data, src=rank)
    if is_own and value is not None:
        return value
    if slot.unseal():
        return slot
    layout.release(slot)
    return None
