"""The training loop: exact resuming, growing data, learning curve, gradients; weights to begin with."""

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.errors import ModelError, UserError
from crystal_search.training import loop
from crystal_search.training.averaging import MeanWeights
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_checkpoint, load_weights
from crystal_search.training.distributed import Group
from crystal_search.training.learning_curve import curve_rows
from crystal_search.training.loop import LARGEST_GRADIENT, Plan
from crystal_search.training.schedules import OneCycle, StepwiseRates, one_cycle
from crystal_search.training.task import Losses, Verdict
from tests.unit.tiny_tasks import CPU, Numbers, StoppedError, squared, tiny, tiny_task, training


@pytest.fixture(autouse=True)
def _often_and_without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STEPS_PER_REFRESH", 2)
    monkeypatch.setattr(loop, "draw_curve", lambda *_: None)
    monkeypatch.setattr(loop, "add_events", lambda *_: None)


def trained(folder: Path, source: Numbers, *, resume: bool = False) -> dict[str, Tensor]:
    made = training(folder, tiny_task(source=source))
    made.run(resume=resume)
    weights: dict[str, Tensor] = made.network.state_dict()
    return weights


@pytest.mark.parametrize("fails_at", [2, 3, 5])
def test_a_training_that_was_stopped_ends_with_the_same_weights(tmp_path: Path, fails_at: int) -> None:
    whole = trained(tmp_path / "whole", Numbers())
    with pytest.raises(StoppedError):
        trained(tmp_path / "stopped", Numbers(fails_at))
    resumed = trained(tmp_path / "stopped", Numbers(), resume=True)
    for name, weights in whole.items():
        torch.testing.assert_close(resumed[name], weights, rtol=0, atol=0)


@pytest.mark.parametrize("fails_at", [1, 3, 5])
def test_a_training_that_was_stopped_ends_with_the_same_mean_of_weights(tmp_path: Path, fails_at: int) -> None:
    training(tmp_path / "whole", tiny_task(), ema=0.5).run()
    with pytest.raises(StoppedError):
        training(tmp_path / "stopped", tiny_task(source=Numbers(fails_at)), ema=0.5).run()
    training(tmp_path / "stopped", tiny_task(), ema=0.5).run(resume=True)
    whole, stopped = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "stopped"))
    torch.testing.assert_close(stopped["mean"], whole["mean"], rtol=0, atol=0)
    torch.testing.assert_close(stopped["network"], whole["network"], rtol=0, atol=0)
    assert not torch.equal(whole["mean"]["0.weight"], whole["network"]["0.weight"])


def test_a_mean_of_weights_changes_nothing_of_how_a_network_learns(tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone", Numbers())
    made = training(tmp_path / "mean", tiny_task(), ema=0.9)
    made.run()
    torch.testing.assert_close(made.network.state_dict(), alone, rtol=0, atol=0)


def test_the_mean_of_weights_is_judged_and_kept_and_begun_with(tmp_path: Path) -> None:
    judge = Judge(0.5, 0.2, 0.3)
    training(tmp_path, tiny_task(judge=judge), ema=0.9).run()
    last = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    torch.testing.assert_close(judge.seen[2], last["mean"], rtol=0, atol=0)
    torch.testing.assert_close(torch.load(tmp_path / BEST, weights_only=True)["network"], judge.seen[1], rtol=0, atol=0)
    (tmp_path / BEST).unlink()
    network = tiny()
    load_weights(tmp_path, network)
    torch.testing.assert_close(network.state_dict(), last["mean"], rtol=0, atol=0)
    load_checkpoint(tmp_path, network := tiny())
    torch.testing.assert_close(network.state_dict(), last["mean"], rtol=0, atol=0)


def test_a_training_goes_on_only_with_the_mean_that_it_began_with(tmp_path: Path) -> None:
    trained(tmp_path, Numbers())
    with pytest.raises(UserError, match=r"began with ema None, not 0\.9; resume it with the options it began with"):
        training(tmp_path, tiny_task(), ema=0.9).run(resume=True)


def test_a_mean_of_weights_follows_fast_at_first_and_then_slowly() -> None:
    network = Weight()
    mean = MeanWeights(network, 0.9)
    nn.init.ones_(network.weight)
    mean.follow(network, 0)
    assert mean.network.get_parameter("weight").item() == pytest.approx(0.9)
    nn.init.zeros_(network.weight)
    mean.follow(network, 1000)
    assert mean.network.get_parameter("weight").item() == pytest.approx(0.81)


def test_processes_that_make_batches_see_what_a_source_grew_by(tmp_path: Path) -> None:
    here = trained(tmp_path / "here", Numbers())
    made = training(tmp_path / "elsewhere", tiny_task(workers=1))
    made.run()
    torch.testing.assert_close(made.network.state_dict(), here, rtol=0, atol=0)


def test_the_learning_curve_has_every_validation_once(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(tmp_path, Numbers(5))
    trained(tmp_path, Numbers(), resume=True)
    assert [row["step"] for row in curve_rows(tmp_path)] == ["2", "4", "6"]
    assert [row["shards"] for row in curve_rows(tmp_path)] == ["1", "2", "3"]


def test_a_checkpoint_in_the_middle_of_a_stretch_keeps_the_shards_of_then(tmp_path: Path) -> None:
    training(tmp_path, tiny_task(), steps=3).run()
    assert curve_rows(tmp_path)[-1]["shards"] == "2"
    source = Numbers()
    training(tmp_path, tiny_task(source=source), steps=4).run(resume=True)
    assert source.names() == ["train-00000", "train-00001"]


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no weights: there is no checkpoint\.pt in it; train first"):
        trained(tmp_path, Numbers(), resume=True)


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match=r"cannot go on from [^.]*checkpoint\.pt: [^.]*; train from the start"):
        trained(tmp_path, Numbers(), resume=True)


def test_a_checkpoint_of_an_older_version_is_said(tmp_path: Path) -> None:
    trained(tmp_path, Numbers())
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    del state["settings"]["version"]
    torch.save(state, tmp_path / CHECKPOINT)
    with pytest.raises(UserError, match=r"an older version began the training in .*; begin another with its weights"):
        trained(tmp_path, Numbers(), resume=True)


def test_a_training_may_begin_with_the_weights_of_another(tmp_path: Path) -> None:
    first = trained(tmp_path / "first", Numbers())
    network = tiny()
    load_weights(tmp_path / "first", network)
    torch.testing.assert_close(network.state_dict(), first)


def test_a_training_does_not_begin_with_the_weights_of_a_larger_network(tmp_path: Path) -> None:
    trained(tmp_path / "first", Numbers())
    with pytest.raises(ModelError, match=r"has layers that the network has not: 1\.bias"):
        load_weights(tmp_path / "first", nn.Sequential(nn.Conv2d(1, 4, 3)))


def test_there_is_nothing_to_begin_with(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot begin with"):
        load_weights(tmp_path / "nowhere", tiny())


class Judge:
    """Says what it was told to, one number after the other, and remembers the weights that it saw."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = iter(numbers)
        self.seen: list[dict[str, Tensor]] = []

    def __call__(self, network: nn.Module) -> Verdict:
        assert not network.training
        self.seen.append({name: each.clone() for name, each in network.state_dict().items()})
        number = next(self.numbers)
        return Verdict({"validation_overlap": 1 - number}, number)


def test_the_best_weights_are_kept_and_stagnation_ends_a_training(tmp_path: Path) -> None:
    judge = Judge(0.5, 0.2, 0.3, 0.4)
    done = training(tmp_path, tiny_task(judge=judge), OneCycle(1e-2, 2), steps=20).run()
    assert done == 8
    best = torch.load(tmp_path / BEST, weights_only=True)
    assert best["step"] == 4
    torch.testing.assert_close(best["network"], judge.seen[1], rtol=0, atol=0)
    assert [row["validation_overlap"] for row in curve_rows(tmp_path)] == ["0.5", "0.8", "0.7", "0.6"]


def test_what_the_judge_said_is_remembered(tmp_path: Path) -> None:
    training(tmp_path, tiny_task(judge=Judge(0.5, 0.2)), OneCycle(1e-2, 2), steps=4).run()
    going_on = training(tmp_path, tiny_task(judge=Judge(0.3, 0.4, 0.1)), OneCycle(1e-2, 2), steps=20)
    assert going_on.run(resume=True) == 8
    assert torch.load(tmp_path / BEST, weights_only=True)["step"] == 4


def test_a_judge_may_say_numbers_of_numpy(tmp_path: Path) -> None:
    training(tmp_path, tiny_task(judge=Judge(*np.array([0.5, 0.2]))), OneCycle(1e-2, 2), steps=4).run()
    assert torch.load(tmp_path / BEST, weights_only=True)["step"] == 4
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["settings"]["lowest"] == 0.2


def test_weights_that_a_training_only_makes_worse_stay_the_best(tmp_path: Path) -> None:
    trained(tmp_path / "first", Numbers())
    begin = partial(load_weights, tmp_path / "first")
    training(tmp_path / "next", tiny_task(judge=Judge(0.1, 0.2, 0.3, 0.4), begin=begin)).run()
    assert torch.load(tmp_path / "next" / BEST, weights_only=True)["step"] == 0


def test_without_a_judge_the_last_weights_are_kept(tmp_path: Path) -> None:
    trained(tmp_path, Numbers())
    assert not (tmp_path / BEST).exists()


class Weight(nn.Module):
    """One weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def steep(network: nn.Module, inputs: Tensor, truth: Tensor) -> Losses:
    return {"loss": 1e6 * network.get_parameter("weight").sum()}


@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_gradients_are_cut(precision: str, tmp_path: Path) -> None:
    made = training(tmp_path, tiny_task(build=Weight, losses=steep), StepwiseRates(1), steps=1, precision=precision)
    made.run()
    assert made.network.get_parameter("weight").item() == pytest.approx(-1e-2 * LARGEST_GRADIENT, rel=1e-4)


def test_the_rate_goes_as_the_schedule_says(tmp_path: Path) -> None:
    training(tmp_path, tiny_task(peak_rate=1e-2)).run()
    expected = [1e-2 * one_cycle(done / 6) for done in (2, 4, 6)]
    assert [float(row["rate"]) for row in curve_rows(tmp_path)] == pytest.approx(expected)


@dataclass(frozen=True)
class OneOfTwo(Group):
    """One of two processes, of which the other says nothing."""

    size: int = 2

    def wrapped(self, network: nn.Module, *, in_parts: bool = False) -> nn.Module:
        return network

    def total(self, sums: Tensor) -> Tensor:
        return sums

    def of_first(self, number: float) -> float:
        return number


def random_numbers(folder: Path, **options: Any) -> list[float]:
    """Return what torch draws in the steps of a training."""
    drawn: list[float] = []

    def losses(network: nn.Module, inputs: Tensor, truth: Tensor) -> Losses:
        drawn.append(torch.rand(()).item())
        return squared(network, inputs, truth)

    training(folder, tiny_task(losses=losses), **options).run()
    return drawn


def test_every_step_of_every_process_and_seed_draws_other_numbers(tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [{"seed": 1}, {"group": OneOfTwo(CPU, 0)}, {"group": OneOfTwo(CPU, 1)}]
    drawn = [random_numbers(tmp_path / str(number), **options) for number, options in enumerate(ways)]
    assert len({number for numbers in drawn for number in numbers}) == 3 * 6
    assert random_numbers(tmp_path / "again", seed=1) == drawn[0]


@pytest.mark.parametrize(("seconds", "kept"), [(0.0, 3), (1e9, 0)])
def test_a_checkpoint_is_written_when_it_is_due(tmp_path: Path, seconds: float, kept: int) -> None:
    task = tiny_task(source=Numbers(3))
    with pytest.raises(StoppedError):
        training(tmp_path, task, validate_every=100, checkpoint_seconds=seconds).run()
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == kept


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = chain([1.0], repeat(math.nan))

    def losses(network: nn.Module, inputs: Tensor, truth: Tensor) -> Losses:
        return {"loss": next(factors) * squared(network, inputs, truth)["loss"]}

    monkeypatch.setattr(loop, "STEPS_PER_CHECK", {"cpu": 2})  # the second step is not looked at, as on a GPU
    with pytest.raises(UserError, match="no number any more at step 2"):
        training(tmp_path, tiny_task(losses=losses), validate_every=100, checkpoint_seconds=0.0).run()
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 0


def test_the_curve_has_the_means_of_all_losses(tmp_path: Path) -> None:
    def losses(network: nn.Module, inputs: Tensor, truth: Tensor) -> Losses:
        return squared(network, inputs, truth) | {"three": torch.tensor(3.0)}

    training(tmp_path, tiny_task(losses=losses)).run()
    assert [float(row["train_three"]) for row in curve_rows(tmp_path)] == [3, 3, 3]


def test_progress_is_that_of_steps_or_of_time_whichever_is_further() -> None:
    plan = Plan(steps=100, seconds=50.0, validate_every=10)
    assert plan.progress(20, 5.0) == 0.2
    assert plan.progress(20, 25.0) == 0.5


def test_a_task_says_before_each_step_what_learns(tmp_path: Path) -> None:
    told: list[tuple[int, bool]] = []

    def prepare(network: nn.Module, step: int) -> None:
        told.append((step, network.training))
        network.get_submodule("0").requires_grad_(step >= 2)

    task = tiny_task(prepare=prepare)
    trained = training(tmp_path, task, steps=4)
    begun = trained.network.get_parameter("0.weight").detach().clone()
    trained.plan = replace(trained.plan, steps=2)
    trained.run()
    assert torch.equal(trained.network.get_parameter("0.weight"), begun)
    assert told == [(0, True), (1, True)]
