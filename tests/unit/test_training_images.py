"""Training on whole images: which squares a step sees, what learns when, what is left and refused."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.errors import UserError
from crystal_search.exporting.export import export
from crystal_search.images import IN_COLOUR, decode
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, image_classifier_card
from crystal_search.networks.pretrained import PretrainedUnavailableError
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.image_opinion import fitted, whole_view
from crystal_search.training import images_task, loop
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_trained
from crystal_search.training.distributed import Group
from crystal_search.training.image_augmentation import image_seen_differently
from crystal_search.training.image_scores import image_scores
from crystal_search.training.image_source import ImageSource, square_of, validation_images
from crystal_search.training.images_task import opened
from crystal_search.training.learning_curve import CURVE
from crystal_search.training.machine import Machine
from crystal_search.training.requests import SHIPPED, ImageRequest, Phase
from crystal_search.training.run_record import read_run
from crystal_search.training.train import train as train_task
from tests.tiny_training import TINY_IMAGE, random_of_images
from tests.unit.dataset_files import coarse, write_dataset, write_rendered
from tests.unit.networks_fakes import fake_well
from tests.unit.tiny_tasks import ALONE, StoppedError

FOUR = SCHEMES["groups-4"].class_names
WELLS = {
    "train": {"clear": 6, "crystal_bad_form": 3, "no_drop": 1},
    "validation": {"clear": 3, "crystal_bad_form": 2, "no_drop": 1},
}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(IMAGE_CLASSIFIERS, TINY_IMAGE.name, TINY_IMAGE)
    monkeypatch.setattr(loop, "draw_curve", lambda *_: None)
    monkeypatch.setattr(loop, "add_events", lambda *_: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), {}, wells=WELLS)


@pytest.fixture(scope="module")
def dataset(data: Path) -> PackedDataset:
    return open_dataset(data)


Ask = Callable[..., ImageRequest]


@pytest.fixture
def ask(data: Path, tmp_path: Path) -> Ask:
    def request(**options: Any) -> ImageRequest:
        usual = ImageRequest(
            network="random-image", data=data, out=tmp_path / "run", command="typed", steps=6, batch_size=3, quiet=True,
            weights="nothing", side_px=128, phases=(Phase(64, 1.0),), validate_every=2,
        )  # fmt: skip
        return replace(usual, **options)

    return request


def train(request: ImageRequest) -> Path:
    train_task("images", request)
    return request.out


def weights(folder: Path, name: str = CHECKPOINT) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(folder / name, weights_only=True)["network"]
    return loaded


def source_of(dataset: PackedDataset, **options: Any) -> ImageSource:
    usual: dict[str, Any] = {"normalisation": "rgb-1", "phases": (Phase(64, 1), Phase(96, 0.5)), "side_px": 128}
    return ImageSource(dataset, FOUR, 0, "equal", **(usual | options))


# The square


@given(height=st.integers(1, 60), width=st.integers(1, 60), side=st.integers(1, 40))
def test_a_fitted_image_keeps_its_proportions_and_loses_nothing(height: int, width: int, side: int) -> None:
    pixels = np.full((height, width, 3), 200, np.uint8)
    square = fitted(pixels, side)
    assert square.shape == (side, side, 3)
    assert (square == 200).all()  # beyond the image is its mean
    grey = np.tile(np.arange(height, dtype=np.uint8)[:, None], (1, width))
    shown = fitted(grey, side)
    rows, columns = (max(1, round(side * each / max(height, width))) for each in (height, width))
    top, left = (side - rows) // 2, (side - columns) // 2
    assert np.ptp(shown[:top]) == 0 if top else True
    assert shown[top : top + rows, left : left + columns].shape == (rows, columns)


def test_an_image_of_the_square_s_own_size_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    assert np.array_equal(fitted(pixels, 32), pixels)


@pytest.mark.parametrize("normalisation", ["rgb-1", "local-contrast-1"])
def test_validation_sees_an_image_as_scoring_does(dataset: PackedDataset, normalisation: str) -> None:
    card = image_classifier_card("mine", "random-image", classes=FOUR, normalisation=normalisation, side_px=128)
    held = validation_images(dataset, FOUR, 9, side_px=128, normalisation=normalisation)
    views, labels = held.batch(1, 2)
    assert (len(held.rows), views.shape) == (5, (2, 3 if normalisation in IN_COLOUR else 1, 128, 128))
    image = decode(dataset.image(held.rows[2]), at_least_width_px=1224)
    expected = whole_view(image, card)
    np.testing.assert_array_equal(views[0].numpy().transpose(1, 2, 0).squeeze(), expected)
    assert [FOUR[label] for label in labels] == ["clear" if row.outcome == "clear" else "crystal"
                                                 for row in held.rows[2:4]]  # fmt: skip


def test_a_rendered_well_is_read_without_a_file(tmp_path: Path) -> None:
    rendered = open_dataset(write_rendered(tmp_path, train=[[fake_well(0)]]))
    square = square_of(rendered, rendered.wells("train")[0], 128, "rgb-1")
    assert square.shape == (128, 128, 3)
    assert square[63:65, 63:65].min() > 200  # the bright square in the middle of the well


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), colour=st.booleans())
def test_an_image_seen_differently_stays_an_image(seed: int, colour: bool) -> None:
    square = np.random.default_rng(1).integers(0, 256, (64, 64, 3) if colour else (64, 64), dtype=np.uint8)
    one, other = (image_seen_differently(square, np.random.default_rng(seed)) for _ in range(2))
    assert (one.shape, one.dtype) == (square.shape, square.dtype)
    assert np.array_equal(one, other)
    assert not np.array_equal(one, square)


def test_what_comes_into_sight_has_the_image_s_mean() -> None:
    square = np.full((64, 64, 3), 90, np.uint8)
    moved = [image_seen_differently(square, np.random.default_rng(seed)) for seed in range(5)]
    assert all(float(each.astype(float).std(axis=(0, 1)).max()) < 8 for each in moved)  # noise, and no border


# Batches


def test_squares_grow_from_phase_to_phase(dataset: PackedDataset) -> None:
    source = source_of(dataset)  # nine images: an epoch is three steps of three
    assert [source.batch(step, 3)[0].shape[2] for step in range(6)] == [64, 64, 64, 96, 96, 128]
    assert (source.side_at(0.99), source.side_at(1), source.side_at(1.49), source.side_at(1.5)) == (64, 96, 96, 128)


def test_a_batch_depends_on_seed_and_step_alone(dataset: PackedDataset) -> None:
    views, labels = source_of(dataset).batch(4, 3)
    later = source_of(dataset)
    later.batch(0, 3)
    assert torch.equal(later.batch(4, 3)[0], views)
    assert torch.equal(later.batch(4, 3)[1], labels)
    assert not torch.equal(later.batch(3, 3)[0], views)


def test_an_epoch_has_classes_in_equal_shares_and_no_empty_wells(dataset: PackedDataset) -> None:
    source = source_of(dataset)
    assert {row.outcome for row in source.rows} == {"clear", "crystal_bad_form"}
    drawn = np.concatenate([source.labels[source.positions(step, 3)] for step in range(6)])  # two epochs
    assert np.bincount(drawn, minlength=4).tolist() in ([9, 0, 0, 9], [8, 0, 0, 10], [10, 0, 0, 8])


def test_grey_has_one_channel(dataset: PackedDataset) -> None:
    assert source_of(dataset, normalisation="local-contrast-1").batch(0, 2)[0].shape == (2, 1, 64, 64)


# The training


def test_a_training_leaves_all_that_evaluation_and_people_need(ask: Ask, dataset: PackedDataset) -> None:
    run = train(ask())
    record = read_run(run)
    assert (record.role, record.task, record.architecture) == ("image", "images", "random-image")
    assert (record.classes, record.normalisation, record.working_width_px) == (FOUR, "rgb-1", 128)
    with (run / CURVE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert all(0 <= float(row["validation_accuracy"]) <= 1 for row in rows)
    scores = image_scores(load_trained(run, "image"), dataset, "validation")
    assert scores.logits.shape == (5, 4)
    right = float((scores.logits.argmax(axis=1) == scores.labels).mean())
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    assert right == pytest.approx(float(best["validation_accuracy"]), abs=1e-5)


def test_killed_and_resumed_it_ends_with_the_same_bits(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = ask(start_from=train(ask(steps=1)))
    whole = train(replace(learnt, out=learnt.out.parent / "whole", head_epochs=0.7, steps=8))
    batch = ImageSource.batch

    def fails(self: ImageSource, step: int, size: int) -> Any:
        if step == 5:
            raise StoppedError
        return batch(self, step, size)

    part = replace(learnt, out=learnt.out.parent / "part", head_epochs=0.7, steps=8)
    with monkeypatch.context() as patch:
        patch.setattr(ImageSource, "batch", fails)
        with pytest.raises(StoppedError):
            train(part)
    train(replace(part, resume=True))
    for name in (CHECKPOINT, BEST):
        torch.testing.assert_close(weights(part.out, name), weights(whole, name), rtol=0, atol=0)


def test_other_phases_are_another_training(ask: Ask) -> None:
    train(ask(steps=2))
    with pytest.raises(UserError, match=r"began with phases \[\[64, 1.0\]\], not \[\]"):
        train(ask(steps=4, resume=True, phases=()))


def test_the_head_learns_alone_at_first_where_the_rest_has_learnt(ask: Ask) -> None:
    first = train(ask(steps=2))
    alone = train(ask(out=first.parent / "alone", start_from=first, head_epochs=1, steps=3))
    begun, ended = weights(first, BEST), weights(alone)
    assert all(torch.equal(ended[name], begun[name]) for name in begun if name.startswith("features."))
    assert not torch.equal(ended["head.weight"], begun["head.weight"])
    together = train(ask(out=first.parent / "together", start_from=first, head_epochs=1, steps=4))
    assert not torch.equal(weights(together)["features.0.weight"], begun["features.0.weight"])


def test_from_scratch_everything_learns_at_once(ask: Ask) -> None:
    torch.manual_seed(0)
    drawn = random_of_images(4, 3).state_dict()
    assert not torch.equal(weights(train(ask(steps=1)))["features.0.weight"], drawn["features.0.weight"])


def test_another_training_s_head_begins_anew_for_other_classes(ask: Ask) -> None:
    first = train(ask(steps=1))
    second = train(ask(out=first.parent / "second", start_from=first, classes=13, steps=1))
    assert read_run(second).classes == OUTCOME_NAMES
    assert weights(second)["head.weight"].shape[0] == 13


def test_a_training_begins_with_the_weights_of_a_model(ask: Ask, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = random_of_images(4, 3).eval()
    ours = image_classifier_card("ours", "random-image", classes=FOUR, normalisation="rgb-1", side_px=128)
    card = export(network, ours, tmp_path)
    begun = weights(train(ask(start_from=card, steps=1, head_epochs=0, rate=1e-12)))
    for name in ("first.1.weight", "head.weight", "head.bias"):
        torch.testing.assert_close(begun[name], network.state_dict()[name])
    anew = weights(train(ask(start_from=card, steps=1, rate=1e-12, classes=13, out=tmp_path / "finer")))
    torch.testing.assert_close(anew["first.1.weight"], network.state_dict()["first.1.weight"])
    with pytest.raises(UserError, match="no whole-image classifier comes with the program"):
        train(ask(start_from=SHIPPED, out=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_imagenet_weights_are_taken_unless_it_is_said_otherwise(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(images_task, "take_imagenet", lambda _, name: asked.append(name))
    train(ask(weights="imagenet", steps=1))
    train(ask(weights="imagenet", steps=1, resume=True))
    assert asked == ["random-image"]


def test_weights_that_cannot_be_had_are_no_reason_to_learn_from_scratch(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise PretrainedUnavailableError("No ImageNet weights: no network")

    monkeypatch.setattr(images_task, "take_imagenet", unavailable)
    with pytest.raises(UserError, match=r"No ImageNet weights: no network; or name .* --start-from, or say --weights"):
        train(ask(weights="imagenet"))
    assert not (ask().out / CHECKPOINT).exists()


def test_rates_go_with_networks(ask: Ask) -> None:
    machine = Machine(group=ALONE, batch_size=4)
    assert opened(ask(network="convnext-tiny"), machine).peak_rate == 3e-4
    assert opened(ask(), machine).peak_rate == 1e-3


# What is refused


def test_labels_too_coarse_for_13_classes(ask: Ask, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "coarse", {}, wells=WELLS, about=coarse())
    with pytest.raises(UserError, match=r"tells 13 classes apart, the labels of .* only crystal, precipitate"):
        train(ask(data=data, classes=13))


def test_images_of_one_class(ask: Ask, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "one", {}, wells={"train": {"clear": 3}, "validation": {"clear": 1}})
    with pytest.raises(UserError, match=r"has training images of one class only \(3 of clear\)"):
        train(ask(data=data))


def test_no_validation_images(ask: Ask, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "none", {}, wells={"train": WELLS["train"], "validation": {"no_drop": 1}})
    with pytest.raises(UserError, match="has no validation images; build it with a part for validation"):
        train(ask(data=data))


def test_a_batch_that_the_head_cannot_normalise(ask: Ask) -> None:
    with pytest.raises(UserError, match="a batch of 1 images cannot be shared by 1 process"):
        train(ask(batch_size=1))
    machine = Machine(group=Group(torch.device("cpu"), size=2), batch_size=2)
    with pytest.raises(UserError, match=r"cannot be shared by 2 process\(es\); name at least 4"):
        opened(ask(), machine)
