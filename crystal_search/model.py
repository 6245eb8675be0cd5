"""Models: an ONNX file and the card that says what it is. A mismatch is refused, never guessed.

The card's format, version 1, is described in docs/model-card.md.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from crystal_search.class_schemes import SCHEMES, TRAINABLE
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError
from crystal_search.hostile_json import Reader, loads
from crystal_search.images import IN_COLOUR, NORMALISATIONS

CARD_FORMAT, CARD_VERSION = "crystal-search model card", 1
CARD_SUFFIX = ".card.json"
IN_USE, IN_USE_FORMAT, IN_USE_VERSION = "in-use.json", "crystal-search models in use", 1
MAX_CARD_BYTES = 1_000_000
KINDS = ("classifier", "drop_locator")
CLASSIFIER_CLASSES = tuple(SCHEMES[name].class_names for name in TRAINABLE.values())
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure of a model's quality."""

    data: str  #: what it was measured on
    measure: str  #: for example ``four-group accuracy``
    value: float
    count: int  #: images that it was measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model file is, reads, answers, learnt from, and how well it does."""

    name: str
    kind: Literal["classifier", "drop_locator"]
    file: str  #: the ONNX file beside the card
    sha256: str  #: of that file, 64 hexadecimal digits
    architecture: str
    classes: tuple[str, ...]  #: order of the output's channels
    working_width_px: int  #: images are resized to this width first
    normalisation: str  #: a key of ``images.NORMALISATIONS``
    side_px: int  #: a classifier's chop; the multiple to which a drop locator's input is padded
    output_stride_px: int  #: working pixels per cell of the output map
    cells_per_chop: int  #: cells averaged for one chop, on a side; 1 for a drop locator
    chop_stride_px: int  #: between chops in dense scoring; a multiple of the output stride
    padded: bool  #: convolutions pad with zeros, so that dense scoring is not exact
    temperature: float = 1.0  #: logits are divided by it before the softmax
    training_data: str = ""  #: in words: what, how many, whether real
    training_command: str = ""
    measured: tuple[Measurement, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInUse:
    """Which model of a folder is the one to use of its kind."""

    kind: str  #: of `KINDS`
    name: str
    sha256: str
    since: str  #: when it was put to use, ISO 8601 in UTC


@dataclass(frozen=True, slots=True)
class Model:
    """A card and the file it describes, hash checked."""

    card: ModelCard
    onnx: bytes


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def card_to_json(card: ModelCard) -> str:
    """Return the card as the text of its file."""
    fields = {"format": CARD_FORMAT, "version": CARD_VERSION} | asdict(card)
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def card_from_json(text: bytes) -> ModelCard:
    """Return the card that `text` holds.

    Raises
    ------
    ModelCardError
        If the text is no card of version 1, or says something no model can be.
    """
    if len(text) > MAX_CARD_BYTES:
        raise ModelCardError(f"the card has {len(text)} bytes; at most {MAX_CARD_BYTES} are read")
    read = Reader(loads(text, ModelCardError), "card", ModelCardError)
    read.format(CARD_FORMAT, CARD_VERSION)
    card = ModelCard(
        name=read.text("name", limit=100),
        kind=read.choice("kind", KINDS),  # type: ignore[arg-type]
        file=read.text("file", pattern=FILE_NAME),
        sha256=read.sha256("sha256"),
        architecture=read.text("architecture", limit=100),
        classes=read.texts("classes", limit=100),
        working_width_px=read.integer("working_width_px", 16, 10_000),
        normalisation=read.choice("normalisation", sorted(NORMALISATIONS)),
        side_px=read.integer("side_px", 1, 4096),
        output_stride_px=read.integer("output_stride_px", 1, 256),
        cells_per_chop=read.integer("cells_per_chop", 1, 256),
        chop_stride_px=read.integer("chop_stride_px", 1, 4096),
        padded=read.boolean("padded"),
        temperature=read.number("temperature", 0.01, 100),
        training_data=read.text("training_data", limit=10_000),
        training_command=read.text("training_command", limit=10_000),
        measured=tuple(_measurement(each) for each in read.objects("measured", limit=1000)),
    )
    read.finish()
    _check_sense(card)
    return card


def _measurement(read: Reader) -> Measurement:
    measurement = Measurement(
        data=read.text("data", limit=1000),
        measure=read.text("measure", limit=200),
        value=read.number("value", -1e12, 1e12),
        count=read.integer("count", 0, 10**9),
    )
    read.finish()
    return measurement


def _check_sense(card: ModelCard) -> None:
    if card.kind == "classifier" and card.classes not in CLASSIFIER_CLASSES:
        known = "; or ".join(", ".join(classes) for classes in CLASSIFIER_CLASSES)
        raise ModelCardError(f"a classifier's classes are {known}; got {', '.join(card.classes)}")
    if card.kind == "drop_locator" and card.normalisation in IN_COLOUR:
        raise ModelCardError(f"a drop locator reads grey images, got normalisation {card.normalisation}")
    if card.chop_stride_px % card.output_stride_px:
        raise ModelCardError(
            f"chop_stride_px {card.chop_stride_px} is no multiple of output_stride_px {card.output_stride_px}"
        )


def read_model(card_path: Path) -> Model:
    """Return the model whose card is the file `card_path`.

    Raises
    ------
    ModelCardError
        If the card breaks the format.
    ModelMismatchError
        If the ONNX file beside it has another hash.
    ModelError
        If a file cannot be read.
    """
    try:
        card = card_from_json(card_path.read_bytes())
        onnx = (card_path.parent / card.file).read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read model {card_path}: {error.strerror}; install the model again") from error
    except ModelCardError as error:
        raise ModelCardError(f"{card_path}: {error}") from error
    if (digest := sha256_of(onnx)) != card.sha256:
        raise ModelMismatchError(f"{card.file}: sha256 is {digest}, its card says {card.sha256}; fetch it again")
    return Model(card, onnx)


def cards_in(folder: Path) -> dict[str, Path]:
    """Return the cards in `folder` by the sha256 that they name; cards that cannot be read are left out."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"*{CARD_SUFFIX}")):
        try:
            found[card_from_json(path.read_bytes()).sha256] = path
        except (ModelCardError, OSError):
            continue
    return found


def model_with_hash(folder: Path, sha256: str) -> Model:
    """Return the model in `folder` with this hash.

    Raises
    ------
    ModelError
        If no card in the folder names the hash.
    """
    return model_in_any([folder], sha256)


def model_in_any(folders: Sequence[Path], sha256: str) -> Model:
    """Return the model with this hash from the first of `folders` that has it.

    Raises
    ------
    ModelError
        If none has.
    """
    for folder in folders:
        if path := cards_in(folder).get(sha256):
            return read_model(path)
    raise ModelError(f"no model with sha256 {sha256} in {', '.join(map(str, folders))}; install it there")


def models_in_use(folder: Path) -> dict[str, ModelInUse]:
    """Return by kind which models ``in-use.json`` of `folder` names; none where there is no such file.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    path = folder / IN_USE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; put the models to use again") from error
    read = Reader(loads(text, ModelError), str(path), ModelError)
    read.format(IN_USE_FORMAT, IN_USE_VERSION)
    found = [_in_use(each) for each in read.objects("models", limit=len(KINDS))]
    read.finish()
    return {each.kind: each for each in found}


def _in_use(read: Reader) -> ModelInUse:
    found = ModelInUse(
        kind=read.choice("kind", KINDS),
        name=read.text("name", limit=100),
        sha256=read.sha256("sha256"),
        since=read.text("since", limit=40),
    )
    read.finish()
    return found


def default_models_folder() -> Path:
    """Return the folder of the weights that come with the package."""
    return Path(__file__).parent / "models"


def default_model(kind: str, folder: Path | None = None) -> Model:
    """Return the model of `kind` to use from `folder` (default: the package's own).

    That is the one which ``in-use.json`` names, else the only one there is.

    Raises
    ------
    ModelError
        If there is none, or more than one to choose from.
    """
    folder = folder or default_models_folder()
    if chosen := models_in_use(folder).get(kind):
        return model_with_hash(folder, chosen.sha256)
    models = [read_model(path) for path in cards_in(folder).values()]
    fitting = [model for model in models if model.card.kind == kind]
    if len(fitting) != 1:
        names = ", ".join(model.card.name for model in fitting) or "none"
        raise ModelError(f"expected one {kind} in {folder}, found {names}; name a folder with one")
    return fitting[0]
