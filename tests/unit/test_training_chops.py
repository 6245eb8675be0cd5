"""Training on a dataset's chops: what it writes, how it ends, what it refuses."""

import csv
import errno
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import ModelError, UnknownNameError, UserError
from crystal_search.exporting.export import export
from crystal_search.networks.network_kinds import CLASSIFIERS, classifier_card
from crystal_search.networks.pretrained import Pretrained
from crystal_search.networks.squeezenet import SqueezeNet
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training import chops_task, loop
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_trained
from crystal_search.training.chops_task import chop_losses, classes_for, freeze_idle, opened
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.learning_curve import CURVE
from crystal_search.training.machine import Machine, memory_explained
from crystal_search.training.requests import SHIPPED, ChopRequest
from crystal_search.training.run_record import RUN, read_run, write_run
from crystal_search.training.schedules import OneCycle, StepwiseRates
from crystal_search.training.task import Verdict
from crystal_search.training.train import plan_for, schedule_for
from crystal_search.training.train import train as train_task
from tests.tiny_training import TINY
from tests.unit.dataset_files import ABOUT_SMALL, coarse, write_dataset
from tests.unit.tiny_tasks import ALONE, tiny_task

SIX = {"train": {"clear": 4, "crystal_bad_form": 4}, "validation": {"clear": 2, "crystal_bad_form": 2}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), SIX)


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tiny networks into the registry, and leave out pictures and events: they take longer than all else."""
    for name, architecture in TINY.items():
        monkeypatch.setitem(CLASSIFIERS, name, architecture)
    monkeypatch.setattr(loop, "draw_curve", lambda *_: None)
    monkeypatch.setattr(loop, "add_events", lambda *_: None)


@pytest.fixture
def ask(data: Path, tmp_path: Path) -> Callable[..., ChopRequest]:
    def request(**options: Any) -> ChopRequest:
        usual = ChopRequest(
            network="random", data=data, out=tmp_path / "run", command="typed", steps=6, batch_size=4, quiet=True
        )
        return replace(usual, **options)

    return request


Ask = Callable[..., ChopRequest]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / CURVE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def weights(folder: Path, name: str = CHECKPOINT) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(folder / name, weights_only=True)["network"]
    return loaded


def train(request: ChopRequest) -> Path:
    train_task("chops", request)
    return request.out


def test_a_training_leaves_all_that_evaluation_and_people_need(ask: Ask) -> None:
    run = train(ask())
    record = read_run(run)
    assert (record.role, record.architecture, record.task) == ("classifier", "random", "chops")
    assert (record.classes, record.normalisation, record.working_width_px) == (OUTCOME_NAMES, "local-contrast-1", 1224)
    assert (record.command, record.seed) == ("typed", 0)
    assert [row["step"] for row in rows(run)] == ["2", "4", "6"]
    assert [float(row["epoch"]) for row in rows(run)] == [1, 2, 3]
    assert all(float(row["samples_per_second"]) > 0 for row in rows(run))
    assert {path.name for path in run.iterdir()} == {"run.json", CHECKPOINT, BEST, CURVE}
    assert load_trained(run).network(torch.zeros(1, 1, 256, 256)).shape == (1, 13, 4, 4)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.2, 0.9])
    seen: list[dict[str, Tensor]] = []

    def judged(self: HeldLosses, network: nn.Module) -> Verdict:
        seen.append({name: each.clone() for name, each in network.state_dict().items()})
        return Verdict({}, next(losses))

    monkeypatch.setattr(HeldLosses, "__call__", judged)
    run = train(ask())
    torch.testing.assert_close(weights(run, BEST), seen[1], rtol=0, atol=0)
    torch.testing.assert_close(weights(run), seen[2], rtol=0, atol=0)


def test_stagnation_ends_a_training(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldLosses, "__call__", lambda *_: Verdict({}, 1.0))
    run = train(ask(schedule="steps", steps=None, patience=1))
    assert [float(row["rate"]) for row in rows(run)] == [1e-2, 1e-2, 1e-3, 1e-4, 1e-5]


def test_a_training_ends_in_time(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    run = train(ask(steps=None, hours=100 / 3600))
    steps = [int(row["step"]) for row in rows(run)]
    assert steps[:-1] == list(range(2, 2 * len(steps), 2))  # no step is left out
    last = rows(run)[-1]
    assert float(last["rate"]) == pytest.approx(2e-3 * 0.005 / 2, rel=0.3)  # PEAK_RATE's end


def test_a_part_of_an_epoch_is_validated_at_the_end(ask: Ask) -> None:
    run = train(ask(steps=None, epochs=1.5))
    assert [row["step"] for row in rows(run)] == ["2", "3"]


def test_a_finished_training_that_is_resumed_does_nothing(ask: Ask) -> None:
    run = train(ask())
    before = weights(run), rows(run)
    assert train_task("chops", ask(resume=True)) == 6
    torch.testing.assert_close(weights(run), before[0], rtol=0, atol=0)
    assert rows(run) == before[1]


def test_a_training_may_go_on_for_longer(ask: Ask) -> None:
    run = train(ask())
    train(ask(resume=True, steps=8))
    assert [row["step"] for row in rows(run)] == ["2", "4", "6", "8"]


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(ask: Ask) -> None:
    run = train(ask())
    (run / CHECKPOINT).unlink()
    train(ask(resume=True))
    assert [row["step"] for row in rows(run)] == ["2", "4", "6"]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_train_and_resume(ask: Ask, precision: str) -> None:
    whole = train(ask(precision=precision))
    part = train(ask(precision=precision, out=whole.parent / "part", steps=2, schedule="steps"))
    assert all(torch.isfinite(each).all() for each in weights(part).values())
    train(ask(precision=precision, out=part, schedule="steps", resume=True))
    assert len(rows(part)) == 3


def test_fewer_classes(ask: Ask) -> None:
    run = train(ask(classes=4, steps=2))
    assert read_run(run).classes == SCHEMES["groups-4"].class_names
    assert weights(run)["head.weight"].shape[0] == 4


def test_a_training_begins_with_the_best_weights_of_another(ask: Ask, tmp_path: Path) -> None:
    first = train(ask())
    second = ask(out=tmp_path / "second", start_from=first, classes=5, steps=1, rate=1e-12, patience=0)
    begun = weights(train(second))
    torch.testing.assert_close(begun["first.weight"], weights(first, BEST)["first.weight"])
    assert begun["head.weight"].shape[0] == 5


def test_a_training_begins_with_the_weights_of_a_model(ask: Ask, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = TINY["plain"].build(13, 1).eval()
    card = export(network, classifier_card("ours", "plain"), tmp_path)
    options: dict[str, Any] = {"network": "plain", "start_from": card, "steps": 1, "rate": 1e-12}
    begun = weights(train(ask(**options)))
    torch.testing.assert_close(begun, network.state_dict())
    coarser = weights(train(ask(**options, classes=5, out=tmp_path / "coarser")))
    torch.testing.assert_close(coarser["first.weight"], network.state_dict()["first.weight"])
    assert coarser["head.weight"].shape[0] == 5


def test_a_model_of_another_network_or_none_is_refused_before_anything_is_written(ask: Ask) -> None:
    with pytest.raises(ModelError, match=r"squeezenet-wells-.* is of another network"):
        train(ask(start_from=SHIPPED))
    with pytest.raises(UserError, match="no model 'ours'"):
        train(ask(start_from=Path("ours")))
    assert not ask().out.exists()


def test_imagenet_weights_are_asked_for(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(network: nn.Module, architecture: str) -> Pretrained:
        asked.append(architecture)
        return Pretrained(taken=0, random=(), unavailable="none here")

    monkeypatch.setattr(chops_task, "load_imagenet", load)
    train(ask(pretrained=True, steps=1))
    train(ask(pretrained=True, steps=1, resume=True))
    assert asked == ["random"]


# What is refused


def test_a_folder_with_a_training_is_not_overwritten(ask: Ask) -> None:
    train(ask(steps=1))
    with pytest.raises(UserError, match="holds a training; go on with --resume, or name another folder"):
        train(ask())


def test_a_folder_with_something_else_is_left_alone(ask: Ask, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "A01.jpg").write_bytes(b"somebody's image")
    with pytest.raises(UserError, match=r"holds something that is no training \(A01\.jpg\); name a new folder"):
        train(ask(out=images))
    assert [each.name for each in images.iterdir()] == ["A01.jpg"]


def test_a_drop_locators_training_is_no_classifiers(ask: Ask) -> None:
    run = train(ask(steps=1))
    write_run(run, replace(read_run(run), role="drop"))
    with pytest.raises(UserError, match="trained a drop locator; name the training of a classifier"):
        load_trained(run)


@pytest.mark.parametrize(
    ("taught_by", "task", "role"),
    [("chops", "chops", "classifier"), ("cells", "cells", "classifier"), ("masks", "drops", "drop")],
)
def test_a_record_of_version_1_is_read(ask: Ask, taught_by: str, task: str, role: str) -> None:
    run = train(ask(steps=1))
    told = json.loads((run / RUN).read_text())
    del told["task"], told["role"]
    (run / RUN).write_text(json.dumps(told | {"version": 1, "kind": "of then", "taught_by": taught_by}))
    assert read_run(run) == replace(read_run(train(ask(steps=1, out=run.parent / "other"))), task=task, role=role)


def test_nothing_to_resume(ask: Ask) -> None:
    with pytest.raises(UserError, match="no training in"):
        train(ask(resume=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "plain"}, "a training of another architecture: random, not plain"),
        ({"classes": 4}, "a training of another classes"),
        ({"batch_size": 2, "validate_every": 2}, "began with batch size 4, not 2; resume it with the options"),
        ({"schedule": "steps"}, "began with schedule OneCycle, not StepwiseRates"),
        ({"seed": 5}, "began with seed 0, not 5"),
    ],
)
def test_a_training_is_resumed_with_what_it_began_with(ask: Ask, change: dict[str, Any], message: str) -> None:
    train(ask(steps=1))
    with pytest.raises(UserError, match=message):
        train(ask(resume=True, **change))


def test_a_checkpoint_of_another_network_is_refused(ask: Ask, tmp_path: Path) -> None:
    run = train(ask(steps=1))
    other = train(ask(steps=1, network="plain", out=tmp_path / "other"))
    (run / CHECKPOINT).write_bytes((other / CHECKPOINT).read_bytes())
    with pytest.raises(ModelError, match=r"it is of another network \(of its arrays of weights 5 missing"):
        train(ask(resume=True))


def test_a_checkpoint_that_was_cut_off_is_refused(ask: Ask) -> None:
    run = train(ask(steps=1))
    (run / CHECKPOINT).write_bytes((run / CHECKPOINT).read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"cannot go on from .*checkpoint\.pt"):
        train(ask(resume=True))


def test_a_dataset_that_changed_is_refused(ask: Ask, tmp_path: Path) -> None:
    train(ask(steps=1))
    shards = {"train": {"clear": 4, "other": 4}, "validation": {"clear": 2, "other": 2}}  # of the same names
    other = write_dataset(tmp_path / "other", shards)
    with pytest.raises(UserError, match="is not the dataset that the training began with"):
        train(ask(resume=True, data=other))


def test_a_folder_that_is_no_dataset(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dataset in"):
        train(ask(data=tmp_path))


def test_a_shard_that_was_cut_off(ask: Ask, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "cut", SIX)
    shard = data / "chops-train-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1024])
    with pytest.raises(UserError, match=r"bytes, expected .*; copy it again"):
        train(ask(data=data))
    assert not (tmp_path / "run").exists()


def test_an_unknown_network(ask: Ask) -> None:
    with pytest.raises(UnknownNameError, match="no network 'lenet'; choose from"):
        train(ask(network="lenet"))


def test_classes_finer_than_the_labels_are_refused(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path, SIX, about=coarse()))
    assert classes_for(None, dataset) == SCHEMES["groups-4"].class_names
    with pytest.raises(UserError, match="scheme groups-4, too coarse for 13 classes; train 4 classes, or build"):
        classes_for(13, dataset)


def test_four_groups_with_rims_make_five_classes(tmp_path: Path) -> None:
    chops = {"train": {"clear": 1, "crystal_harvestable": 1, "rim": 1}}
    dataset = open_dataset(write_dataset(tmp_path, chops, about=coarse()))
    assert classes_for(None, dataset) == SCHEMES["groups-5"].class_names


def test_a_network_of_another_side_is_refused(ask: Ask, tmp_path: Path) -> None:
    about = replace(ABOUT_SMALL, side_px=128, margin_px=32)
    with pytest.raises(UserError, match=r"random reads chops of 256 px, those of .* have 128"):
        train(ask(data=write_dataset(tmp_path / "small", SIX, about=about)))


def test_a_batch_of_one_is_refused(ask: Ask) -> None:
    with pytest.raises(UserError, match="a batch of 1 chops cannot be shared by 1 process"):
        train(ask(batch_size=1))


def test_a_loss_that_is_no_number_stops_the_training(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(ask(steps=3))
    before = weights(run)
    monkeypatch.setattr(chops_task, "cross_entropy", lambda chops, *_, **__: chops.sum() * float("nan"))
    message = (
        r"the loss is no number any more at step 3, rate \S+; train with a lower --rate.*checkpoint.pt is of before"
    )
    with pytest.raises(UserError, match=message):
        train(ask(resume=True))
    torch.testing.assert_close(weights(run), before, rtol=0, atol=0)


def test_a_full_disk_leaves_the_checkpoint_before(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(ask(steps=2))
    before = weights(run)

    def save(state: object, file: Any) -> None:
        file.write(b"the beginning")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UserError, match=r"No space left on device; the one before is still there: make room"):
        train(ask(resume=True))
    torch.testing.assert_close(weights(run), before, rtol=0, atol=0)
    assert not list(run.glob(".*"))


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "the GPU's memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "this machine's memory"),
    ],
)
def test_full_memory_is_explained(error: Exception, where: str) -> None:
    message = f"{where} does not hold a batch of 64; train with --batch-size 32, or with --precision bf16"
    with pytest.raises(UserError, match=message), memory_explained(64):
        raise error


def test_other_errors_are_not_taken_for_full_memory() -> None:
    with pytest.raises(RuntimeError, match="sizes"), memory_explained(64):
        raise RuntimeError("sizes do not match")


@pytest.mark.parametrize("options", [{"epochs": 1.0}, {"steps": 0}, {"steps": None, "hours": -1.0}])
def test_how_long_must_be_clear(ask: Ask, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="say how long to train"):
        plan_for(ask(**options), tiny_task(samples=100))


def test_how_long_by_default(ask: Ask) -> None:
    task = tiny_task(samples=1000)
    assert plan_for(ask(steps=None), task).steps == 2500
    assert plan_for(ask(steps=None, schedule="steps"), task).steps == 25_000
    assert plan_for(ask(steps=None, epochs=0.5), task).steps == 125
    assert plan_for(ask(steps=None, hours=2.0), task).steps is None
    assert plan_for(ask(steps=None), tiny_task(usual_steps=70)).steps == 70


def test_a_task_without_epochs_says_so(ask: Ask) -> None:
    with pytest.raises(UserError, match="draws anew, so that it has no epochs; name --steps or --hours"):
        plan_for(ask(steps=None, epochs=2.0), tiny_task())


def test_rates_by_task_and_schedule(ask: Ask) -> None:
    one_cycle = schedule_for(ask(), tiny_task(peak_rate=4e-4))
    assert isinstance(one_cycle, OneCycle)
    assert one_cycle.peak_rate == 4e-4
    steps = schedule_for(ask(schedule="steps", rate=3e-3), tiny_task())
    assert isinstance(steps, StepwiseRates)
    assert steps.rates == (3e-3, 1e-3, 1e-4, 1e-5)


def test_labels_are_smoothed_only_while_a_network_learns() -> None:
    network, views = nn.Conv2d(1, 13, 1), torch.zeros(2, 1, 4, 4)
    labels = torch.tensor([0, 4])
    logits = network(views).mean(dim=(2, 3))
    for learns in (True, False):
        loss = chop_losses(network.train(learns), views, labels, smoothing=0.2)["loss"]
        torch.testing.assert_close(loss, cross_entropy(logits, labels, label_smoothing=0.2 * learns))


@pytest.mark.parametrize(("name", "rate"), [("squeezenet", 2e-3), ("random", 1e-3)])
def test_a_network_has_a_rate_of_its_own_and_trains_what_its_answer_depends_on(
    name: str, rate: float, ask: Ask
) -> None:
    task = opened(ask(network=name), Machine(group=ALONE, batch_size=4))
    assert task.peak_rate == rate
    idle = {name for name, each in task.build().named_parameters() if not each.requires_grad}
    assert idle == ({"texture_head.weight", "texture_head.bias"} if name == "squeezenet" else set())


def test_layers_that_the_output_does_not_depend_on_are_not_trained() -> None:
    network = SqueezeNet(4)
    freeze_idle(network, torch.zeros(1, 1, 256, 256))
    idle = {name for name, each in network.named_parameters() if not each.requires_grad}
    assert idle == {"texture_head.weight", "texture_head.bias"}
    assert all(each.grad is None for each in network.parameters())
