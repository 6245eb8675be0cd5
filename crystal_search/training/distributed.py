"""One process or several of the same training, as ``torchrun`` starts them; all see the same batches in parts."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from crystal_search.errors import UserError


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that train one network together, and which of them this is."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def wrapped(self, network: nn.Module, *, in_parts: bool = False) -> nn.Module:
        """Return `network` so that its gradients are those of all processes' parts together.

        `in_parts` says that in some steps a part of it does not learn. On GPUs, statistics of batch normalisation are
        those of the whole batch as well; on processors each process has its own, since torch cannot share them there.
        """
        if self.size == 1:
            return network
        if self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
            return DistributedDataParallel(network, device_ids=[self.device], find_unused_parameters=in_parts)
        return DistributedDataParallel(network, find_unused_parameters=in_parts)

    def total(self, sums: Tensor) -> Tensor:
        """Return the sum of all processes' `sums`, the same in each of them."""
        if self.size > 1:
            distributed.all_reduce(sums)
        return sums

    def of_first(self, number: float) -> float:
        """Return the first process's `number` in all of them."""
        if self.size == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Join the other processes that ``torchrun`` started, if it did; leave them at the end.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Raises
    ------
    UserError
        If there is no GPU, or there are fewer than processes on this machine.
    """
    local, size = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    place = _device(device, local)
    if size == 1:
        yield Group(place)
        return
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Group(place, distributed.get_rank(), size)
    finally:
        gc.collect()  # a network that still holds the group keeps its threads until Python ends, and then it may abort
        distributed.destroy_process_group()


def _device(device: str, local: int) -> torch.device:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not gpus):
        return torch.device("cpu")
    if not gpus:
        raise UserError("torch finds no GPU here; take --device cpu, or install a torch that is built for the GPU")
    if local >= gpus:
        raise UserError(f"process {local + 1} on this machine finds {gpus} GPU(s); start one process for each GPU")
    place = torch.device("cuda", local)
    torch.cuda.set_device(place)
    return place
