"""What a training computes on: its processes, their precision, and what to do when memory is full."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.training.distributed import Group
from crystal_search.training.task import Batch, Losses

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
#: Of the processor, by the names of ``torch.cpu.get_capabilities``: without these, bf16 is emulated and slower.
NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The processes of a training, and how each of them computes."""

    group: Group
    batch_size: int  #: of all processes together
    precision: str = "float32"
    workers: int = 0  #: processes that make batches, for each that trains

    def losses(self, taught: nn.Module, batch: Batch) -> Losses:
        """Return the losses of a batch, computed where and how this machine does it.

        Raises
        ------
        UserError
            If memory is full.
        """
        device = self.group.device
        inputs, truth = (each.to(device, non_blocking=True) for each in batch)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with memory_explained(self.batch_size), computing_in(self.precision, device):
            losses: Losses = taught(inputs, truth)
        return losses


@contextmanager
def memory_explained(batch_size: int) -> Iterator[None]:
    """Say what to do when memory is full.

    Raises
    ------
    UserError
        If it is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(_less_memory("the GPU's memory", batch_size)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch has no class for it on processors
            raise
        raise UserError(_less_memory("this machine's memory", batch_size)) from error


def _less_memory(where: str, batch_size: int) -> str:
    return (
        f"{where} does not hold a batch of {batch_size}; train with "
        f"--batch-size {max(1, batch_size // 2)}, or with --precision bf16, or end other programs that use it"
    )


def workers_for(asked: int | None, machine: Machine, *, on_device: bool) -> int:
    """Return how many processes make batches: none where those are made in the memory of the device.

    Raises
    ------
    UserError
        If some were `asked` for there.
    """
    if on_device and asked:
        raise UserError("batches of these wells are made in the memory of the device itself; leave out --workers")
    return 0 if on_device else machine.workers


def precision_for(asked: str, device: torch.device) -> str:
    """Return the precision to train in: the one `asked` for, or with ``auto`` the fastest that is as good.

    That is bf16 where the GPU or the processor computes with it, else float32.

    Raises
    ------
    UnknownNameError
        If there is no such precision; the message lists those there are.
    """
    check_among(("auto", *PRECISIONS), asked, "precision")
    if asked != "auto":
        return asked
    return "bf16" if has_native_bf16(device) else "float32"


def has_native_bf16(device: torch.device) -> bool:
    """Return whether `device` computes with bf16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # new in torch 2.10
    return any(capabilities.get(name) for name in NATIVE_BF16)


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which layers compute in `precision`; weights stay float32."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")
