"""What a model's card says (docs/model-card.md).

A model plays a role, of which `ROLES` lists all there are. Each has a card of its own, a subclass of `ModelCard`: a new
role is a new card there, and the code that asks such a model.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from crystal_search.class_schemes import SCHEMES, TRAINABLE
from crystal_search.errors import ModelCardError
from crystal_search.found_share import FoundShare
from crystal_search.hostile_json import Reader
from crystal_search.images import IN_COLOUR, Sight
from crystal_search.outcomes import GROUPS
from crystal_search.who_looks import Looks

LOGITS = "logits"  #: name of the first output of most networks
FEATURES = "features"  #: name of the output whose mean over the drop travels with every score
DENSE, INSTANCES = "dense", "instances"  #: how crystals are read from what a detector answers (`crystals.finding`)
MOST_ENLARGED = 4.0  #: times that a crystal detector sees images enlarged
MAX_NUMBERS = 4096  #: channels of an output that have no names
CLASSIFIER_CLASSES = tuple(SCHEMES[name].class_names for name in TRAINABLE.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure of a model's quality."""

    data: str  #: what it was measured on
    measure: str  #: for example ``four-group accuracy``
    value: float
    count: int  #: images that it was measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One map that a network answers with: a channel for each class, or as many numbers without names."""

    name: str = LOGITS  #: of the ONNX file's output
    classes: tuple[str, ...] = ()  #: order of the map's channels; () where they have no names
    numbers: int = 0  #: of channels without names
    stride_px: int = 1  #: working pixels per cell of the map
    offset_px: int | None = None  #: working pixels before the one in the middle of the first cell; None: not told

    @property
    def channels(self) -> int:
        """How many channels the map has."""
        return len(self.classes) or self.numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model file of any role is, reads, answers, learnt from, and how well it does."""

    role: ClassVar[str]  #: what such a model is for; its key in `ROLES`
    title: ClassVar[str]  #: what people call such a model
    needed: ClassVar[bool] = False  #: whether nothing is scored without one
    scores_images: ClassVar[bool] = True  #: whether clients run it when they score an image
    instead: ClassVar[str] = ""  #: why nobody puts one to use where clients do not, and what to do with it
    suffix: ClassVar[str] = ".onnx"  #: of its file's name

    name: str
    file: str  #: the file beside the card
    sha256: str  #: of that file, 64 hexadecimal digits
    architecture: str
    working_width_px: int  #: images are resized to this width first
    normalisation: str  #: a key of ``images.NORMALISATIONS``
    outputs: tuple[Output, ...]  #: what it answers; the first is what its role is about
    training_data: str = ""  #: in words: what, how many, whether real
    training_command: str = ""
    measured: tuple[Measurement, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the first output."""
        return self.outputs[0].classes

    @property
    def trial_side_px(self) -> int:
        """The side of a square input to try the model with."""
        return self.working_width_px

    @property
    def answers_maps(self) -> bool:
        """Whether its answers are maps of what it sees, whose sides are known; not as many rows as it finds things."""
        return True

    def cells_in_trial(self, output: Output) -> int:
        """Return the side of the map in which `output` answers a trial."""
        return self.trial_side_px // output.stride_px

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "ModelCard":
        """Return the card with the fields `told` that all cards have, and those of its role, which are still to read.

        `version` is the card file's. What no model of this role can be is refused as a `ModelCardError`.
        """
        return cls(**told)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierCard(ModelCard):
    """The card of a network that tells outcomes apart in chops."""

    role: ClassVar[str] = "classifier"
    title: ClassVar[str] = "classifier"
    needed: ClassVar[bool] = True

    side_px: int  #: of a chop
    cells_per_chop: int  #: cells averaged for one chop, on a side
    chop_stride_px: int  #: between chops in dense scoring; a multiple of the output stride
    padded: bool  #: convolutions pad with zeros, so that dense scoring is not exact
    temperature: float = 1.0  #: logits are divided by it before the softmax

    @property
    def output_stride_px(self) -> int:
        """Working pixels per cell of the first output."""
        return self.outputs[0].stride_px

    @property
    def trial_side_px(self) -> int:
        """The side of a square input to try the model with."""
        return self.side_px

    @property
    def features(self) -> Output | None:
        """The output whose mean over the drop travels with every score; None where it has none."""
        return next((each for each in self.outputs if each.name == FEATURES), None)

    def cells_in_trial(self, output: Output) -> int:
        """Return the side of the map in which `output` answers a trial: that of a chop's map."""
        if output.offset_px is None:
            return self.cells_per_chop
        return (self.side_px - 2 * output.offset_px - 1) // output.stride_px + 1

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "ClassifierCard":
        """Return the card with the fields `told` that all cards have, and those of a classifier."""
        return cls.classifying(told, read)

    @classmethod
    def classifying(cls, told: dict[str, Any], read: Reader) -> Self:
        """Return the card with the fields `told`, and those that say how chops are classified, still to read."""
        card = cls(
            side_px=read.integer("side_px", 1, 4096),
            cells_per_chop=read.integer("cells_per_chop", 1, 256),
            chop_stride_px=read.integer("chop_stride_px", 1, 4096),
            padded=read.boolean("padded"),
            temperature=read.number("temperature", 0.01, 100),
            **told,
        )
        _check_classes(card)
        if card.chop_stride_px % card.output_stride_px:
            read.fail(
                "chop_stride_px",
                f"a multiple of {card.output_stride_px}, the stride_px of its output",
                card.chop_stride_px,
            )
        if card.features:
            card._check_features(card.features, read)
        return card

    def _check_features(self, features: Output, read: Reader) -> None:
        """Refuse features that would not be the same densely and window by window."""
        if self.padded or features.offset_px is None or not features.numbers:
            read.fail(FEATURES, "numbers with an offset_px, of a network that does not pad", features)
        if self.chop_stride_px % features.stride_px or not self.cells_in_trial(features) > 0:
            read.fail(FEATURES, f"in cells that chops at a stride of {self.chop_stride_px} px share", features)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLookCard(ClassifierCard):
    """The card of a classifier that looks at fewer pixels first, and leaves to the classifier what it doubts."""

    role: ClassVar[str] = "first_look"
    title: ClassVar[str] = "first look"
    needed: ClassVar[bool] = False

    most_doubt: float  #: up to which its score counts (`group_rule.doubt_of`), in [0, 1)

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "FirstLookCard":
        """Return the card with the fields `told` that all cards have, and those of a first look."""
        return cls.classifying(told | {"most_doubt": read.number("most_doubt", 0, 0.99)}, read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCard(ModelCard):
    """The card of a drop locator."""

    role: ClassVar[str] = "drop"
    title: ClassVar[str] = "drop locator"
    needed: ClassVar[bool] = True

    side_multiple_px: int  #: inputs are padded to a multiple of it

    @property
    def trial_side_px(self) -> int:
        """The side of a square input to try the model with."""
        return -(-self.working_width_px // self.side_multiple_px) * self.side_multiple_px

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "DropCard":
        """Return the card with the fields `told` that all cards have, and those of a drop locator."""
        if told["normalisation"] in IN_COLOUR:
            read.fail("normalisation", "of grey images, which a drop locator reads", told["normalisation"])
        for meaningless in ("cells_per_chop", "chop_stride_px", "padded", "temperature") if version == 1 else ():
            read.take(meaningless)
        side = read.integer("side_px" if version == 1 else "side_multiple_px", 1, 4096)
        return cls(side_multiple_px=side, **told)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCard(ModelCard):
    """The card of a network that tells outcomes apart in whole images, fitted into a square of its working width."""

    role: ClassVar[str] = "image"
    title: ClassVar[str] = "whole-image classifier"

    temperature: float = 1.0  #: logits are divided by it before the softmax

    def cells_in_trial(self, output: Output) -> int:
        """Return 1: the whole square has one answer."""
        return 1

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "ImageCard":
        """Return the card with the fields `told` that all cards have, and that of a whole-image classifier."""
        card = cls(temperature=read.number("temperature", 0.01, 100), **told)
        _check_classes(card)
        return card


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalCard(ModelCard):
    """The card of a detector of single crystals."""

    role: ClassVar[str] = "crystals"
    title: ClassVar[str] = "crystal detector"

    side_multiple_px: int  #: inputs are padded to a multiple of it, and tiles begin at one
    margin_px: int  #: of its surroundings that a tile is seen with; a multiple of the former
    least_probability: float = 0.3  #: of a crystal that counts
    least_in_drops: float | None = None  #: of one that counts in the drop of a well; None: the same
    most_overlap: float = 0.5  #: intersection over union of two boxes; above it the less probable one goes
    decoding: str = DENSE  #: how crystals are read from its answers, a key of `crystals.finding.DECODINGS`
    found_share: FoundShare | None = None  #: of crystals by their size, in what it was measured on; None: in nothing
    enlarged: float = 1.0  #: times, an image narrower than the working width, up to that; 1 to `MOST_ENLARGED`

    @property
    def sight(self) -> Sight:
        """How large it sees images."""
        return Sight(self.working_width_px, self.enlarged)

    @property
    def counts_in_drops(self) -> float:
        """The probability from which on a crystal in a drop counts."""
        return self.least_probability if self.least_in_drops is None else self.least_in_drops

    def share_found(self, area_px2: float, probability: float, width_px: int) -> float | None:
        """Return how often it finds crystals of a size, as a share of how often the largest; None where not measured.

        It is of an image of a width. Of crystals that are less probable, or smaller, than those that were counted
        nobody measured it.
        """
        if self.found_share is None or probability < self.found_share.from_probability:
            return None
        scale = self.sight.width_of(width_px) / width_px
        return self.found_share.of(area_px2 * scale**2)

    @property
    def seen_from(self) -> float:
        """The probability from which on nothing is dispensed onto a crystal in a drop, also where it does not count."""
        return min(self.least_probability, self.counts_in_drops)

    @property
    def trial_side_px(self) -> int:
        """The side of a square input to try the model with."""
        return 4 * self.side_multiple_px

    @property
    def answers_maps(self) -> bool:
        """Whether its answers are maps of what it sees."""
        return self.decoding == DENSE

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "CrystalCard":
        """Return the card with the fields `told` that all cards have, and those of a detector."""
        if told["normalisation"] in IN_COLOUR:
            read.fail("normalisation", "of grey images, which a crystal detector reads", told["normalisation"])
        card = cls(
            side_multiple_px=read.integer("side_multiple_px", 1, 4096),
            margin_px=read.integer("margin_px", 0, 4096),
            least_probability=read.number("least_probability", 0, 1),
            least_in_drops=read.optional_number("least_in_drops", 0, 1) if version > 4 else None,
            most_overlap=read.number("most_overlap", 0, 1),
            decoding=read.choice("decoding", (DENSE, INSTANCES)) if version > 3 else DENSE,
            found_share=read.optional("found_share", FoundShare.read) if version > 5 else None,
            enlarged=read.number("enlarged", 1, MOST_ENLARGED) if version > 5 and read.has("enlarged") else 1.0,
            **told,
        )
        if card.margin_px % card.side_multiple_px:
            read.fail("margin_px", f"a multiple of {card.side_multiple_px}, the side_multiple_px", card.margin_px)
        return card


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """How well crystals were told among labels that were held out, by AUROC; None where that says nothing."""

    plate: str  #: empty: all plates together
    counts: tuple[int, ...]  #: labels of each group, in GROUPS order, then those that are known as no crystal only
    shipped: Bounds | None  #: by the shipped score
    readout: Bounds | None  #: by the readout


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutCard(ModelCard):
    """The card of a readout, which scores one imager's images by what a classifier answered to them.

    Width, normalisation and outputs are those of the numbers of whoever looked first.
    """

    role: ClassVar[str] = "readout"
    title: ClassVar[str] = "readout"
    scores_images: ClassVar[bool] = False
    instead: ClassVar[str] = (
        "which scores beside the models in use, and only the images of its imager; it is used for an imager, in no role"
    )
    suffix: ClassVar[str] = ".readout.json"

    classifier_sha256: str  #: whose answers it reads; no other's mean the same; of two, who looks first
    behind_sha256: str | None = None  #: the classifier behind that first look; None: as `Looks` says
    imager: str  #: whose images it is for
    fitted_at: str  #: ISO 8601, UTC
    labels_sha256: str  #: of the labels that it learnt from
    held_out: str  #: what was held out for the figures: ``plate``, or ``drop`` of the only one
    proven: bool  #: whether it tells crystals better than the shipped score, by the interval of the difference
    difference: Bounds | None  #: of the AUROCs, paired
    figures: tuple[LabelFigures, ...]  #: of all plates together, then of each

    @property
    def looks(self) -> Looks:
        """Which models answered what it was fitted to."""
        return Looks(first=self.classifier_sha256, behind=self.behind_sha256)

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "ReadoutCard":
        """Return the card with the fields `told` that all cards have, and those of a readout."""
        return cls(
            classifier_sha256=read.sha256("classifier_sha256"),
            behind_sha256=read.optional_sha256("behind_sha256") if version > 6 else None,
            imager=read.text("imager", limit=200),
            fitted_at=read.text("fitted_at", limit=40),
            labels_sha256=read.sha256("labels_sha256"),
            held_out=read.choice("held_out", ("plate", "drop")),
            proven=read.boolean("proven"),
            difference=read.optional("difference", _bounds),
            figures=read.objects("figures", _label_figures, limit=10_000),
            **told,
        )


def _check_classes(card: ModelCard) -> None:
    if card.classes not in CLASSIFIER_CLASSES:
        known = "; or ".join(", ".join(classes) for classes in CLASSIFIER_CLASSES)
        raise ModelCardError(f"the {card.title}'s classes are {known}; got {', '.join(card.classes)}")


KINDS = (ClassifierCard, FirstLookCard, DropCard, ImageCard, CrystalCard, ReadoutCard)
#: Roles of the models whose answers a score holds, as far as they are used. The features are the first one's.
ANSWERING_ROLES = (FirstLookCard.role, ClassifierCard.role, DropCard.role)
#: The card of each role that this version knows, by the role's name in cards, work units, results and recipes.
ROLES: dict[str, type[ModelCard]] = {kind.role: kind for kind in KINDS}


def _bounds(read: Reader) -> Bounds:
    return Bounds(value=read.number("value", -1, 1), low=read.number("low", -1, 1), high=read.number("high", -1, 1))


def _label_figures(read: Reader) -> LabelFigures:
    return LabelFigures(
        plate=read.text("plate", limit=200),
        counts=tuple(map(int, read.numbers("counts", count=len(GROUPS) + 1, low=0, high=10**9))),
        shipped=read.optional("shipped", _bounds),
        readout=read.optional("readout", _bounds),
    )
