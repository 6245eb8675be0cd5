"""A new kind of model, a network that marks tiny crystals, is exported and judged by registering it, and no more."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.evaluation.bootstrap import drawn
from crystal_search.evaluation.judges import JUDGES
from crystal_search.evaluation.judging import (
    Chapter,
    Contender,
    Figure,
    Gallery,
    Judged,
    Options,
    Picture,
    Section,
)
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.page_pictures import with_masks
from crystal_search.evaluation.tables import table
from crystal_search.exit_codes import OK, USAGE
from crystal_search.exporting.exported_runs import EXPORTERS, Order
from crystal_search.images import normalised, resized, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import read_model
from crystal_search.model_card import ROLES, ModelCard, Output
from crystal_search.training.checkpoints import load_checkpoint, save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.unet_drop.regions import Mask, overlap
from tests.unit.dataset_files import write_dataset

ROLE = "crystals"


class Bright(nn.Module):
    """Marks what is brighter than a threshold that was learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(0.8))

    def forward(self, views: Tensor) -> Tensor:
        return 20 * (views - self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalsCard(ModelCard):
    role: ClassVar[str] = ROLE
    title: ClassVar[str] = "crystal finder"


def exported(order: Order) -> tuple[nn.Module, CrystalsCard]:
    network = Bright()
    load_checkpoint(order.run, network)
    card = CrystalsCard(
        name=order.name,
        file=f"{order.name}.onnx",
        sha256="0" * 64,
        architecture=order.record.architecture,
        working_width_px=order.record.working_width_px,
        normalisation=order.record.normalisation,
        outputs=(Output(classes=("crystal",)),),
        training_command=order.record.command,
    )
    return network, card


@dataclass(frozen=True)
class Found:
    known: KnownImage
    true: Mask
    mask: Mask
    overlap: float


class CrystalsJudge:
    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> list[Found]:
        network = OnnxNetwork(contender.model)
        found = []
        for known in truth.images[: options.wells]:
            image, card = known.image(), contender.model.card
            view = normalised(resized(to_grey(image.colour), card.working_width_px), card.normalisation)
            mask, true = network.logits(view[None, None])[0, 0] > 0, known.mask(image)
            assert true is not None
            found.append(Found(known, true, mask, overlap(true, mask)))
        return found

    def figures(self, verdicts: list[Found]) -> Mapping[str, Sequence[Figure]]:
        mean = drawn([each.known.drawn_with for each in verdicts]).mean(np.array([each.overlap for each in verdicts]))
        return {ROLE: [Figure("mean overlap of crystals", mean, len(verdicts))]}

    def chapter(self, judged: Sequence[Judged[list[Found]]], truth: Truth, options: Options) -> Chapter:
        rows = [(each.name, found.known.name, found.overlap) for each in judged for found in each.verdicts]
        worst = min((found for each in judged for found in each.verdicts), key=lambda found: found.overlap)
        picture = Picture(with_masks(worst.known, worst.true, worst.mask), ("the worst", worst.known.name))
        return Chapter(
            sections=(Section("Crystals", (Gallery((picture,)),)),),
            tables=(table("crystals", ("network", "image", "iou"), rows),),
        )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register the new kind, and return the folder of a training of it."""
    monkeypatch.setitem(ROLES, ROLE, CrystalsCard)
    monkeypatch.setitem(EXPORTERS, ROLE, exported)
    monkeypatch.setitem(JUDGES, ROLE, (CrystalsJudge(),))
    save_checkpoint(tmp_path / "run", 1, Bright(), None, {})
    record = RunRecord(
        role=ROLE,
        architecture="bright",
        classes=("crystal",),
        normalisation="centred-1",
        working_width_px=256,
        data=str(tmp_path),
        task="drops",
        command="crystal-search train crystals",
        seed=0,
    )
    write_run(tmp_path / "run", record)
    return tmp_path / "run"


def test_a_new_kind_is_exported_and_judged(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 3}}))
    assert main(["export", str(run), "--models", str(tmp_path / "models"), "--name", "tiny"]) == OK
    model = tmp_path / "models" / "tiny.card.json"
    words = ["evaluate", str(run), str(model), "--data", data, "--out", str(tmp_path / "out")]
    assert main(words) == OK
    assert "run: mean overlap of crystals: " in capsys.readouterr().out
    with (tmp_path / "out" / "crystals.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["run"] * 3 + ["tiny"] * 3
    assert [row["iou"] for row in rows[:3]] == [row["iou"] for row in rows[3:]]  # as its export is
    assert all(0.3 < float(row["iou"]) < 1 for row in rows)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Crystals</h2>" in page
    assert "data:image/jpeg;base64," in page
    networks = json.loads((tmp_path / "out" / "evaluation.json").read_text())["networks"]
    assert [each["role"] for each in networks] == [ROLE, ROLE]
    assert main(["evaluate", str(model), "--data", data, "--out", str(tmp_path / "again"), "--cards"]) == OK
    (figure,) = read_model(model).card.measured
    assert (figure.measure, figure.data, figure.count) == ("mean overlap of crystals", "data, test", 3)


def test_a_kind_that_nobody_registered_is_refused_by_name(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 1}}))
    monkeypatch.delitem(JUDGES, ROLE)
    assert main(["evaluate", str(run), "--data", data, "--out", str(tmp_path / "out")]) == USAGE
    assert "nobody judges models of the role crystals; choose from classifier, drop" in capsys.readouterr().err
    monkeypatch.delitem(EXPORTERS, ROLE)
    assert main(["export", str(run), "--name", "tiny"]) == USAGE
    assert "nobody exports trainings of the role crystals; choose from classifier, drop" in capsys.readouterr().err
