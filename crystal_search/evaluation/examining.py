"""One trained classifier examined: its chops scored, its whole images scored."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.class_schemes import Scheme, scheme_of
from crystal_search.datasets.packed import ABOUT, PackedDataset, WellRow, open_dataset, sampled
from crystal_search.evaluation.judged_wells import JudgedWell, scored_wells
from crystal_search.evaluation.training_effort import Effort, effort
from crystal_search.exporting.exported_runs import export_run
from crystal_search.model import Model, default_model, read_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.networks.architectures import architecture_named
from crystal_search.scoring.pipeline import loaded
from crystal_search.training.run_record import RunRecord
from crystal_search.training.trained import ChopScores, Trained, check_labels, chop_scores, load_trained

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """On what classifiers are examined."""

    split: str = "test"  #: of whole images, and of chops for classes and calibration
    chops: int = 2000  #: at most so many of each split
    wells: int | None = None  #: at most so many; None: all
    models: Path | None = None  #: folder of the drop locator; None: the package's own
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Examined:
    """A trained classifier and everything that it says of the dataset."""

    name: str
    record: RunRecord
    model_bytes: int  #: of the ONNX file, float32
    parameters: int
    weight_layers: int
    effort: Effort
    temperature: float  #: that its export was given; whole images are scored with it
    train: ChopScores
    validation: ChopScores
    judged: ChopScores  #: chops of the split that is judged; none where it has none
    wells: tuple[JudgedWell, ...]
    learnt: int = 0  #: of these images, those of wells that it was trained on

    @property
    def scheme(self) -> Scheme:
        """Its classes."""
        return scheme_of(self.record.classes)


def examined(run: Path, name: str, dataset: PackedDataset, options: Options, workshop: Path) -> Examined:
    """Return what the classifier in the folder `run` says of `dataset`.

    Parameters
    ----------
    run
        Folder of its training.
    name
        What it is called in tables.
    dataset, options
        What it is examined on.
    workshop
        A folder for the exported model.

    Raises
    ------
    UserError
        If the dataset does not fit it.
    ModelError
        If it has no weights, or cannot be exported.
    """
    trained = load_trained(run)
    check_labels(trained.record.classes, dataset)
    model = _exported(trained, dataset, workshop, options)
    models = loaded([model, default_model(DropCard, options.models)], threads=options.threads)
    rows = sampled(dataset.wells(options.split), options.wells)
    return Examined(
        name=name,
        record=trained.record,
        model_bytes=len(model.onnx),
        parameters=sum(each.numel() for each in trained.network.parameters()),
        weight_layers=architecture_named(trained.record.architecture).weight_layers,
        effort=effort(run),
        temperature=model.card.temperature,
        train=_chops(trained, dataset, "train", options),
        validation=_chops(trained, dataset, "validation", options),
        judged=_chops(trained, dataset, options.split, options),
        wells=tuple(scored_wells(models, dataset, rows, name)),
        learnt=learnt_from(trained.record, dataset, rows),
    )


def learnt_from(record: RunRecord, dataset: PackedDataset, rows: Sequence[WellRow]) -> int:
    """Return how many of `rows` are of wells that a network was trained on.

    The dataset that it was trained on may be another one of the same archive, divided in another way; it is not
    asked where it is no longer there. Wells of two archives may have the same names.
    """
    taught = Path(record.data)
    if record.taught_by != "chops" or not (taught / ABOUT).exists():
        return 0
    its = open_dataset(taught)
    if not set(its.about.sources) & set(dataset.about.sources):
        return 0
    wells = {chop.well for chop in its.chops("train")}
    return sum(row.well in wells for row in rows)


def _exported(trained: Trained, dataset: PackedDataset, workshop: Path, options: Options) -> Model[ClassifierCard]:
    """Return the model just as the command ``export`` makes it."""
    data = dataset.folder if trained.record.taught_by == "chops" else None
    return read_model(export_run(trained.folder, "examined", workshop, data, chops=options.chops), ClassifierCard)


def _chops(trained: Trained, dataset: PackedDataset, split: str, options: Options) -> ChopScores:
    rows = sampled(dataset.chops(split), options.chops)
    log.info("%s: %d chops of %s", trained.folder, len(rows), split)
    return chop_scores(trained, dataset, rows, options.device)
