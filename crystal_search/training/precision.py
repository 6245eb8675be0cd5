"""The numbers that a network computes with while it is trained."""

from contextlib import AbstractContextManager

import torch

from crystal_search.errors import UnknownNameError

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
#: Of the processor, by the names of ``torch.cpu.get_capabilities``: without these, bf16 is emulated and slower.
NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")


def precision_for(asked: str, device: torch.device) -> str:
    """Return the precision to train in: the one `asked` for, or with ``auto`` the fastest that is as good.

    That is bf16 where the GPU or the processor computes with it, else float32.

    Raises
    ------
    UnknownNameError
        If there is no such precision; the message lists those there are.
    """
    if asked != "auto" and asked not in PRECISIONS:
        raise UnknownNameError(f"no precision {asked!r}; choose from auto, {', '.join(PRECISIONS)}")
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
