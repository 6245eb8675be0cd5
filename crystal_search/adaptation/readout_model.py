"""A readout as a model: its weights with a card that says whose labels, whose numbers and how good."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crystal_search.adaptation.adapting import Adapted
from crystal_search.adaptation.gain import Gain
from crystal_search.adaptation.labelled import NOT_CRYSTAL, Labelled
from crystal_search.adaptation.readout_file import readout_from_json, readout_to_json
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.bootstrap import Interval
from crystal_search.errors import ModelMismatchError
from crystal_search.model import Model, sha256_of
from crystal_search.model_card import Bounds, ClassifierCard, LabelFigures, Output, ReadoutCard
from crystal_search.outcomes import GROUPS
from crystal_search.who_looks import Looks

ARCHITECTURE = "logistic regression around the shipped score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a readout comes from."""

    name: str  #: of the model
    imager: str  #: whose images it is for
    fitted_at: str  #: ISO 8601, UTC
    images: tuple[str, ...]  #: what the labelled images are called, in the order of the labels
    command: str = ""
    behind_sha256: str | None = None  #: the classifier behind, where a first look's answers are read


def readout_model(
    adapted: Adapted, labelled: Labelled, classifier: ClassifierCard, origin: Origin
) -> Model[ReadoutCard]:
    """Return the readout of labels with its card.

    Parameters
    ----------
    adapted
        What the labels make of the shipped score.
    labelled
        The labels.
    classifier
        Whose numbers it reads: who looks first.
    origin
        What else the card says.
    """
    rescoring = Rescoring(readout=adapted.readout, triage=adapted.triage, plates=adapted.plates)
    data, gain = readout_to_json(rescoring).encode(), adapted.gain
    card = ReadoutCard(
        name=origin.name,
        file=f"{origin.name}{ReadoutCard.suffix}",
        sha256=sha256_of(data),
        architecture=ARCHITECTURE,
        working_width_px=classifier.working_width_px,
        normalisation=classifier.normalisation,
        outputs=(Output(classes=tuple(map(str, GROUPS)), stride_px=1),),
        training_data=f"{gain.labels} labels of {len(gain.plates)} plates of {origin.imager or 'one imager'}",
        training_command=origin.command,
        classifier_sha256=classifier.sha256,
        behind_sha256=origin.behind_sha256,
        imager=origin.imager,
        fitted_at=origin.fitted_at,
        labels_sha256=labels_hash(labelled, origin.images),
        held_out=gain.held_out,
        proven=gain.counts,
        difference=_bounds(gain.difference),
        figures=figures_of(labelled, gain),
    )
    return Model(card, data)


def rescoring_of(model: Model[ReadoutCard], looks: Looks) -> Rescoring:
    """Return what a readout does with answers of the models that look at images.

    Raises
    ------
    ModelMismatchError
        If it reads the answers of others.
    ModelError
        If its file cannot be read.
    """
    card = model.card
    if not card.looks.fit(looks):
        raise ModelMismatchError(
            f"{card.name} reads the answers of {card.looks}, got those of {looks}; fit it anew to these, from the same "
            "labels"
        )
    return readout_from_json(model.onnx, card.file)


def labels_hash(labelled: Labelled, images: Sequence[str]) -> str:
    """Return the SHA-256 of labels, whatever order they came in."""
    rows = zip(images, labelled.groups.tolist(), labelled.plates, labelled.drops, strict=True)
    return hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()


def figures_of(labelled: Labelled, gain: Gain) -> tuple[LabelFigures, ...]:
    """Return what a card says of the labels: all plates together first."""
    whole = LabelFigures(
        plate="", counts=_counts(labelled, ""), shipped=_bounds(gain.shipped), readout=_bounds(gain.readout)
    )
    return whole, *(
        LabelFigures(
            plate=each.plate,
            counts=_counts(labelled, each.plate),
            shipped=_bounds(each.shipped),
            readout=_bounds(each.readout),
        )
        for each in gain.plates
    )


def _counts(labelled: Labelled, plate: str) -> tuple[int, ...]:
    """Return the labels of each group, then of what is only known to be no crystal; of one plate, or of all."""
    groups = zip(labelled.groups.tolist(), labelled.plates, strict=True)
    counts = Counter(group for group, of in groups if plate in ("", of))
    return tuple(counts[group] for group in (*range(len(GROUPS)), NOT_CRYSTAL))


def _bounds(interval: Interval) -> Bounds | None:
    if any(map(math.isnan, interval)):
        return None
    return Bounds(**{key: round(value, 6) for key, value in interval._asdict().items()})
