"""A task of a new kind, tiny masks of crumbs: this file is all it takes to bring it from an archive to a page.

Dataset, loop, resuming, card, export and evaluation are used as they are; what is new is registered in five lines.
"""

import csv
import json
import operator
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crystal_search.bootstrap import drawn
from crystal_search.datasets.packed import PackedDataset, ShardFile, ShardsInUse, WellRow, open_dataset
from crystal_search.evaluation.judge import Chapter, Contender, Figure, Judged, Options
from crystal_search.evaluation.judge_kinds import JUDGES
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.page_parts import Gallery, Picture, Section
from crystal_search.evaluation.page_pictures import with_masks
from crystal_search.evaluation.tables import table
from crystal_search.exit_codes import OK, USAGE
from crystal_search.exporting.answer_differences import TOLERANCE
from crystal_search.exporting.exported_runs import EXPORTERS, Order
from crystal_search.hostile_json import Reader
from crystal_search.images import View, decode, normalised, picture_file, resized, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import in_role, read_model
from crystal_search.model_card import ROLES, ModelCard, Output
from crystal_search.networks.network_kinds import NETWORKS, Architecture, network_for
from crystal_search.synthesis.rendered_folder import RenderedFolder, annotation
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_trained
from crystal_search.training.learning_curve import PICTURE, curve_rows
from crystal_search.training.machine import Machine
from crystal_search.training.requests import Option, Request
from crystal_search.training.run_record import read_run, recorded
from crystal_search.training.task import Batch, Losses, Task, Verdict
from crystal_search.training.task_kinds import TASKS, TaskKind
from crystal_search.unet_drop.regions import Mask, overlap

TASK, ROLE = "tiny-masks", "crumbs"
SIDE_PX, WIDTH_PX = 128, 32  #: of the pictures in the archive, and of what the network reads
REDUCTION = SIDE_PX // WIDTH_PX
PICTURES = 40


# The task


def two_layers(classes: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(4, classes, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrumbsRequest(Request):
    """Crystals are to be marked."""

    dies_at: Annotated[int | None, Option("step before which the power goes off")] = None


def true_mask(dataset: PackedDataset, row: WellRow) -> Mask:
    """Return where the crumbs of an image are, at the width that the network reads."""
    crumbs = dataset.objects(row)
    assert crumbs
    whole = np.logical_or.reduce([each.mask for each in crumbs])
    return np.asarray(whole[REDUCTION // 2 :: REDUCTION, REDUCTION // 2 :: REDUCTION])


def view_of(dataset: PackedDataset, row: WellRow) -> View:
    return normalised(resized(to_grey(decode(dataset.image(row)).colour), WIDTH_PX), "centred-1")


@dataclass
class CrumbsSource(ShardsInUse):
    """Draws images with the masks of their crumbs."""

    seed: int
    dies_at: int | None
    rows: list[WellRow] = field(default_factory=list)

    def _take_up(self, shard: ShardFile) -> None:
        self.rows += self.dataset.table(WellRow, shard)

    def batch(self, step: int, size: int) -> Batch:
        if step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        rows = [
            self.rows[each] for each in np.random.default_rng([self.seed, step]).integers(len(self.rows), size=size)
        ]
        return shown(self.dataset, rows)


def shown(dataset: PackedDataset, rows: Sequence[WellRow]) -> Batch:
    """Return views and masks, both (N, 1, rows, columns) float32."""
    views = np.stack([view_of(dataset, row) for row in rows])[:, None]
    masks = np.stack([true_mask(dataset, row) for row in rows])[:, None]
    return torch.from_numpy(views), torch.from_numpy(masks.astype(np.float32))


def entropy(network: nn.Module, views: Tensor, masks: Tensor) -> Losses:
    return {"loss": binary_cross_entropy_with_logits(network(views).float(), masks)}


def judge_of(dataset: PackedDataset) -> Callable[[nn.Module], Verdict]:
    views, masks = shown(dataset, dataset.wells("validation"))

    def judged(network: nn.Module) -> Verdict:
        iou = overlap(*(np.asarray(each > 0).reshape(-1, WIDTH_PX) for each in (masks, network(views))))
        return Verdict({"validation_iou": iou}, 1 - iou)

    return judged


def opened(request: CrumbsRequest, machine: Machine) -> Task:
    dataset = open_dataset(request.data)
    architecture = network_for(TASK, request.network)
    return Task(
        record=recorded(
            request,
            task=TASK,
            role=ROLE,
            classes=("crystal",),
            normalisation="centred-1",
            working_width_px=WIDTH_PX,
        ),
        title="tiny masks of crumbs",
        build=lambda: architecture.build(1, 1),
        source=CrumbsSource(dataset, request.seed, request.dies_at),
        losses=entropy,
        judge=judge_of(dataset),
        panels={"loss": ("loss",), "intersection over union": ("iou",)},
        usual_steps=60,
        peak_rate=3e-2,
    )


# The model


@dataclass(frozen=True, slots=True, kw_only=True)
class CrumbsCard(ModelCard):
    """The card of a network that marks crumbs."""

    role: ClassVar[str] = ROLE
    title: ClassVar[str] = "crumb finder"

    least_area_px: int  #: of a crystal, in working pixels

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "CrumbsCard":
        return cls(least_area_px=read.integer("least_area_px", 1, 10_000), **told)


def exported(order: Order) -> tuple[nn.Module, CrumbsCard]:
    card = CrumbsCard(
        name=order.name,
        file=f"{order.name}.onnx",
        sha256="0" * 64,
        architecture=order.record.architecture,
        working_width_px=order.record.working_width_px,
        normalisation=order.record.normalisation,
        outputs=(Output(classes=order.record.classes),),
        training_command=order.record.command,
        least_area_px=12,
    )
    return load_trained(order.run, ROLE).network, card


# The judge


@dataclass(frozen=True)
class Found:
    known: KnownImage
    true: Mask
    mask: Mask

    @property
    def overlap(self) -> float:
        return overlap(self.true, self.mask)


class CrumbsJudge:
    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> list[Found]:
        network, dataset = OnnxNetwork(in_role(contender.model, CrumbsCard)), truth.dataset
        assert dataset is not None
        pairs = zip(truth.images, dataset.wells(truth.split), strict=True)
        return [
            Found(known, true_mask(dataset, row), network.logits(view_of(dataset, row)[None, None])[0, 0] > 0)
            for known, row in pairs
        ]

    def figures(self, verdicts: list[Found]) -> Mapping[str, Sequence[Figure]]:
        mean = drawn([each.known.drawn_with for each in verdicts]).mean(np.array([each.overlap for each in verdicts]))
        return {ROLE: [Figure("mean overlap of crumbs", mean, len(verdicts))]}

    def chapter(self, judged: Sequence[Judged[list[Found]]], truth: Truth, options: Options) -> Chapter:
        rows = [(each.name, found.known.name, found.overlap) for each in judged for found in each.verdicts]
        worst = min((found for each in judged for found in each.verdicts), key=lambda found: found.overlap)
        picture = Picture(with_masks(worst.known, worst.true, worst.mask), ("the worst", worst.known.name))
        return Chapter(
            sections=(Section("Crystals", (Gallery((picture,)),)),),
            tables=(table("crumbs", ("network", "image", "iou"), rows),),
        )


NETWORK = Architecture(name="two-layers", build=two_layers, tasks=(TASK,), paper="none", weight_layers=2, padded=True)
PURPOSE = "train a network to mark tiny crumbs"


def register(put: Callable[[Any, str, Any], None]) -> None:
    """Make the new kind known: all that is done outside of its own code."""
    put(TASKS, TASK, TaskKind(purpose=PURPOSE, request=CrumbsRequest, module=__name__))
    put(NETWORKS, ROLE, {NETWORK.name: NETWORK})
    put(ROLES, ROLE, CrumbsCard)
    put(EXPORTERS, ROLE, exported)
    put(JUDGES, ROLE, (CrumbsJudge(),))


# What the house makes of it


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the process that is killed, so that both give the same bits
    with pytest.MonkeyPatch.context() as patch:
        register(patch.setitem)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset, built of a folder of grey noise with a lighter rectangle in each picture."""
    folder = tmp_path_factory.mktemp("data")
    archive = RenderedFolder(folder / "archive", ("crystal_harvestable",), sheet=None)
    for number in range(PICTURES):
        generator = np.random.default_rng(number)
        grey = generator.normal(100, 50, (SIDE_PX, SIDE_PX))
        top, left = generator.integers(0, SIDE_PX - 40, 2)
        rows, columns = (axis.ravel() for axis in np.mgrid[top : top + 32, left : left + 40])
        grey[rows, columns] += 60
        pixels, size = np.clip(grey, 0, 255).astype(np.uint8), (SIDE_PX, SIDE_PX)
        archive.write(f"{number:02d}.png", picture_file(Image.fromarray(pixels)), pixels)
        archive.add_image(number, f"{number:02d}.png", size)
        archive.annotate(number, "crystal_harvestable", annotation(rows, columns, size, np.zeros(5)))
    archive.finish()
    words = ["dataset", "build", str(folder / "archive"), "--out", str(folder / "packed"), "--shares", "60/20/20"]
    assert main([*words, "--workers", "1"]) == OK
    return folder / "packed"


def words_for(data: Path, out: Path, *options: str, network: str = NETWORK.name) -> list[str]:
    words = ["--network", network, "--data", str(data), "--out", str(out), "--device", "cpu", "--validate-every", "20"]
    return ["train", TASK, *words, *options]


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(words_for(data, out)) == OK
    return out


def test_its_dataset_holds_every_picture_with_its_crystal(data: Path) -> None:
    dataset = open_dataset(data)
    rows = [row for split in ("train", "validation", "test") for row in dataset.wells(split)]
    assert len(rows) == PICTURES
    assert all(true_mask(dataset, row).sum() == 32 * 40 / REDUCTION**2 for row in rows)


def test_it_learns_and_leaves_what_every_training_leaves(run: Path) -> None:
    record = read_run(run)
    assert (record.task, record.role, record.architecture) == (TASK, ROLE, "two-layers")
    rows = curve_rows(run)
    assert [row["step"] for row in rows] == ["20", "40", "60"]
    assert float(rows[-1]["validation_iou"]) > 0.8
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert {path.name for path in run.iterdir()} >= {CHECKPOINT, BEST, PICTURE, "tensorboard"}


def test_it_is_read_back(data: Path, run: Path) -> None:
    network = load_trained(run, ROLE).network
    assert not network.training
    assert judge_of(open_dataset(data))(network).falls == pytest.approx(
        1 - max(float(row["validation_iou"]) for row in curve_rows(run)), abs=1e-6
    )


def test_killed_and_resumed_it_ends_with_the_same_bits(
    data: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = run.parent / "killed"
    words = words_for(data, killed, "--dies-at", "33")
    assert subprocess.run([sys.executable, "-m", __name__, *words], check=False).returncode == -signal.SIGKILL
    assert torch.load(killed / CHECKPOINT, weights_only=True)["step"] == 20
    assert main(words_for(data, killed, "--resume")) == OK
    assert f"60 steps are done; weights and learning-curve.png are in {killed}" in capsys.readouterr().out
    states: list[dict[str, Any]] = [torch.load(each / CHECKPOINT, weights_only=True) for each in (run, killed)]
    for part in ("step", "network", "optimiser"):
        torch.testing.assert_close(states[1][part], states[0][part], rtol=0, atol=0)
    assert [row["validation_iou"] for row in curve_rows(killed)] == [row["validation_iou"] for row in curve_rows(run)]


def test_a_network_that_does_not_claim_it_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words_for(data, tmp_path / "run", network="squeezenet")) == USAGE
    assert f"no network 'squeezenet' that can be trained on {TASK}; choose from two-layers" in capsys.readouterr().err


@pytest.fixture(scope="module")
def model(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the card of the model that became of the training."""
    folder = tmp_path_factory.mktemp("models")
    assert main(["export", str(run), "--models", str(folder), "--name", "tiny"]) == OK
    return folder / "tiny.card.json"


def test_its_model_has_a_card_and_gives_the_numbers_of_the_training(data: Path, run: Path, model: Path) -> None:
    read = in_role(read_model(model), CrumbsCard)
    assert (read.card.least_area_px, read.card.classes, read.card.working_width_px) == (12, ("crystal",), WIDTH_PX)
    assert read.card.training_command == read_run(run).command
    dataset = open_dataset(data)
    views, _ = shown(dataset, dataset.wells("test"))
    with torch.inference_mode():
        expected = load_trained(run, ROLE).network(views).numpy()
    np.testing.assert_allclose(OnnxNetwork(read).logits(views.numpy()), expected, rtol=0, atol=TOLERANCE)


def test_training_and_model_are_judged_side_by_side(
    data: Path, run: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tested = len(open_dataset(data).wells("test"))
    assert tested > 2
    assert main(["evaluate", str(run), str(model), "--data", str(data), "--out", str(tmp_path / "out")]) == OK
    assert "run: mean overlap of crumbs: " in capsys.readouterr().out
    with (tmp_path / "out" / "crumbs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["run"] * tested + ["tiny"] * tested
    assert [row["iou"] for row in rows[:tested]] == [row["iou"] for row in rows[tested:]]  # as its export is
    assert all(0.3 < float(row["iou"]) < 1 for row in rows)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Crystals</h2>" in page
    assert "data:image/jpeg;base64," in page
    networks = json.loads((tmp_path / "out" / "evaluation.json").read_text())["networks"]
    assert [each["role"] for each in networks] == [ROLE, ROLE]
    assert main(["evaluate", str(model), "--data", str(data), "--out", str(tmp_path / "again"), "--cards"]) == OK
    (figure,) = read_model(model).card.measured
    assert (figure.measure, figure.data, figure.count) == ("mean overlap of crumbs", "packed, test", tested)


def test_a_kind_that_nobody_registered_is_refused_by_name(
    data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(JUDGES, ROLE)
    assert main(["evaluate", str(run), "--data", str(data), "--out", str(tmp_path / "out")]) == USAGE
    said = capsys.readouterr().err
    assert "no judge of models of the role 'crumbs'; choose from classifier, first_look, image, drop, crystals" in said
    monkeypatch.delitem(EXPORTERS, ROLE)
    assert main(["export", str(run), "--name", "tiny"]) == USAGE
    said = capsys.readouterr().err
    assert "no exporter of trainings of the role 'crumbs'; choose from classifier, drop, crystals, image" in said
    monkeypatch.delitem(TASKS, TASK)
    with pytest.raises(SystemExit, match=str(USAGE)):
        main(words_for(data, tmp_path / "run"))
    assert f"invalid choice: '{TASK}' (choose from " in capsys.readouterr().err


if __name__ == "__main__":
    torch.set_num_threads(1)
    register(operator.setitem)
    sys.exit(main())
