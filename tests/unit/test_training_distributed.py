"""The group of processes: where it computes, what it shares."""

import pytest
import torch
from torch import nn

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.training import machine
from crystal_search.training.distributed import Group, joined
from crystal_search.training.machine import computing_in, has_native_bf16, precision_for

CPU = torch.device("cpu")


def test_one_process_needs_no_others() -> None:
    with joined("cpu") as group:
        assert (group.rank, group.size, group.device, group.is_first) == (0, 1, CPU, True)
        network = nn.Linear(2, 2)
        assert group.wrapped(network) is network
        assert group.total(torch.tensor([3.0])).tolist() == [3.0]
        assert group.of_first(2.5) == 2.5


def test_only_the_first_process_writes() -> None:
    assert not Group(CPU, rank=1, size=2).is_first


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch finds no GPU here; take --device cpu"), joined("cuda"):
        pass
    with joined("auto") as group:
        assert group.device == CPU


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match=r"process 3 on this machine finds 2 GPU\(s\)"), joined("auto"):
        pass


@pytest.mark.parametrize(("capability", "chosen"), [("avx512_bf16", "bf16"), ("amx_bf16", "bf16"), ("avx2", "float32")])
def test_bf16_is_chosen_where_the_processor_has_it(
    capability: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True}, raising=False)
    assert has_native_bf16(CPU) == (chosen == "bf16")
    assert precision_for("auto", CPU) == chosen
    assert precision_for("float32", CPU) == "float32"


def test_an_old_torch_that_does_not_say_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_native_bf16(CPU)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no precision 'fp8'; choose from auto, float32, bf16, fp16"):
        precision_for("fp8", CPU)


@pytest.mark.parametrize("name", list(machine.PRECISIONS))
def test_layers_compute_in_the_precision(name: str) -> None:
    layer = nn.Conv2d(1, 2, 3)
    with computing_in(name, CPU):
        assert layer(torch.zeros(1, 1, 4, 4)).dtype == machine.PRECISIONS[name]
    assert layer.weight.dtype == torch.float32
