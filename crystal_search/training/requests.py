"""What a training can be asked for. The options of ``crystal-search train`` are the fields of these records."""

import argparse
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from crystal_search.arguments import count, count_or_0, enlargement, length, length_or_0, number_that
from crystal_search.images import WORKING_WIDTH_PX

SHIPPED, NOTHING = Path("shipped"), Path("nothing")  #: beside the folder of a training, what trainings may begin with
LENGTH, MANNER, PLACE = "how long", "how", "on what"  #: groups of options
SIDES_PX = range(64, 1025, 32)  #: of squares: five halvings leave whole cells
TOGETHER = "a step, of all processes together (default: %(default)s)"
Asked = TypeVar("Asked", bound="Request")


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a training in which images have one size."""

    side_px: int
    epochs: float


def phases_in(text: str) -> tuple[Phase, ...]:
    """Return the phases that a text lists.

    >>> phases_in("256x2,384x1.5")
    (Phase(side_px=256, epochs=2.0), Phase(side_px=384, epochs=1.5))
    >>> phases_in("none")
    ()

    Raises
    ------
    argparse.ArgumentTypeError
        If it lists none; argparse tells the user.
    """
    if text == "none":
        return ()
    parts = [each.partition("x") for each in text.split(",")]
    try:
        are_numbers = all(int(side) and 0 < float(epochs) < float("inf") for side, _, epochs in parts)
    except ValueError:
        are_numbers = False
    if not are_numbers:
        raise argparse.ArgumentTypeError(f"must be 'none' or SIDExEPOCHS, as 256x2,384x1.5, got {text!r}")
    return tuple(Phase(square_side(side), float(epochs)) for side, _, epochs in parts)


def square_side(text: str) -> int:
    """Return the side of a square that networks of images can read.

    >>> square_side("512")
    512

    Raises
    ------
    argparse.ArgumentTypeError
        If there is none; argparse tells the user.
    """
    sides = f"a multiple of {SIDES_PX.step} from {SIDES_PX[0]} to {SIDES_PX[-1]} px"
    return number_that(int, text, SIDES_PX.__contains__, sides)


def below_1(text: str) -> float:
    """Return a share, from 0 up to below 1.

    >>> below_1("0.998")
    0.998

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none; argparse tells the user.
    """
    return number_that(float, text, lambda value: 0 <= value < 1, "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Option:
    """What the command line says of a field; a field without a default must be given."""

    text: str
    group: str = ""
    metavar: str | None = None
    reading: Callable[[str], Any] | None = None  #: None: the field's type


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A training as it was asked for; None and ``auto`` leave the choice to the program."""

    command: str = ""  #: as it was typed
    quiet: bool = False  #: no progress bar
    network: Annotated[str, Option("name of the network", metavar="NAME")]
    data: Annotated[Path, Option("folder to learn from", metavar="DATASET")]
    out: Annotated[Path, Option("folder for the training", metavar="RUN")]
    resume: Annotated[bool, Option("go on from the checkpoint in RUN")] = False
    start_from: Annotated[
        Path | None,
        Option("begin with the weights of a training, or of a model: card, name or shipped", metavar="RUN"),
    ] = None
    epochs: Annotated[float | None, Option("of tasks that have epochs; parts of one too", LENGTH)] = None
    steps: Annotated[int | None, Option("batches", LENGTH)] = None
    hours: Annotated[float | None, Option("end when so much time is over; the rate follows the clock", LENGTH)] = None
    patience: Annotated[
        int | None,
        Option(
            "validations without a gain; default: 10 with one-cycle (0: never), 3 with steps",
            *(LENGTH, None, count_or_0),
        ),
    ] = None
    validate_every: Annotated[int | None, Option("default: 100", LENGTH, "STEPS", count)] = 100
    checkpoint_minutes: Annotated[
        float, Option("default: 5, and after every validation", LENGTH, "MINUTES", length_or_0)
    ] = 5.0
    schedule: Annotated[Literal["one-cycle", "steps"], Option("steps is the paper's way", MANNER)] = "one-cycle"
    rate: Annotated[
        float | None, Option("one-cycle's peak, or the first of the steps (default 1e-2)", MANNER, reading=length)
    ] = None
    ema: Annotated[
        float,
        Option("keep a running mean of the weights, of which so much is left after a step", MANNER, "DECAY", below_1),
    ] = 0.0
    batch_size: Annotated[int, Option(f"samples {TOGETHER}", MANNER, reading=count)] = 32
    seed: Annotated[int, Option("default: 0", MANNER)] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Option("default: a GPU where there is one", PLACE)] = "auto"
    precision: Annotated[Literal["auto", "float32", "bf16", "fp16"], Option("default: bf16 where native", PLACE)] = (
        "auto"
    )
    workers: Annotated[
        int | None,
        Option("processes that make batches; default: 0, beside a GPU up to 16", PLACE, reading=count_or_0),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopRequest(Request):
    """A classifier is to learn the chops of a dataset."""

    classes: Annotated[Literal[13, 5, 4] | None, Option("default: as many as the labels have")] = None
    pretrained: Annotated[bool, Option("begin with ImageNet weights of torchvision")] = False
    validate_every: Annotated[int | None, Option("default: after every epoch", LENGTH, "STEPS", count)] = None
    validation_chops: Annotated[int, Option("always the same (default: %(default)s)", LENGTH, reading=count)] = 2000
    balance: Annotated[Literal["none", "sqrt", "equal"], Option("of classes (default: sqrt)", MANNER)] = "sqrt"
    label_smoothing: Annotated[float, Option("default: %(default)s", MANNER, reading=below_1)] = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest(Request):
    """A classifier is to learn every cell of wells whose outcomes are known place by place."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "squeezenet"
    patience: Annotated[
        int | None, Option("validations without a gain (default: 0: never)", LENGTH, reading=count_or_0)
    ] = 0
    batch_size: Annotated[int, Option(f"crops {TOGETHER}", MANNER, reading=count)] = 12
    width_px: Annotated[int, Option("of the images it is for (default: %(default)s)", metavar="PX")] = WORKING_WIDTH_PX
    keep_lowest: Annotated[
        bool, Option("leave the layers next to the image as they began: a step takes half the time", MANNER)
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest(Request):
    """A drop locator is to learn the masks of whole images."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "u-net"
    batch_size: Annotated[int, Option(f"images {TOGETHER}", MANNER, reading=count)] = 8
    start_from: Annotated[
        Path | None,
        Option(
            "begin with the weights of a training, of a model's card or name, shipped, or nothing (default: shipped "
            "where DATASET has photographs, nothing where it is rendered)",
            metavar="RUN",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest(Request):
    """A classifier is to learn whole images, one label each."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "efficientnet-lite0"
    classes: Annotated[Literal[4, 13], Option("default: the four groups, which are MARCO's classes too")] = 4
    weights: Annotated[
        Literal["imagenet", "nothing"], Option("to begin with where no --start-from is named (default: imagenet)")
    ] = "imagenet"
    side_px: Annotated[int, Option("of the square, a multiple of 32 (default: %(default)s)", "", "PX", square_side)] = (
        512
    )
    phases: Annotated[
        tuple[Phase, ...],
        Option("sides before that, each with its epochs, or none (default: 256x3,384x2)", MANNER, "LIST", phases_in),
    ] = (Phase(256, 3), Phase(384, 2))
    head_epochs: Annotated[
        float, Option("in which the head learns alone (default: %(default)s)", MANNER, reading=length_or_0)
    ] = 1.0
    normalisation: Annotated[
        Literal["rgb-1", "local-contrast-1"], Option("colours, or grey against its surroundings (default: rgb-1)")
    ] = "rgb-1"
    validate_every: Annotated[int | None, Option("default: after every epoch", LENGTH, "STEPS", count)] = None
    validation_images: Annotated[int, Option("always the same (default: %(default)s)", LENGTH, reading=count)] = 2000
    balance: Annotated[Literal["none", "sqrt", "equal"], Option("of classes (default: equal)", MANNER)] = "equal"
    label_smoothing: Annotated[float, Option("default: %(default)s", MANNER, reading=below_1)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalRequest(Request):
    """A detector is to learn crystals one by one."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "dense-crystals"
    patience: Annotated[
        int | None, Option("validations without a gain (default: 0: never)", LENGTH, reading=count_or_0)
    ] = 0
    ema: Annotated[
        float,
        Option(
            "keep a running mean of the weights, of which so much is left after a step (default: %(default)s; 0: none)",
            *(MANNER, "DECAY", below_1),
        ),
    ] = 0.998
    steady: Annotated[
        bool, Option("keep the statistics of batch normalisation with which it begins; with --start-from", MANNER)
    ] = False
    batch_size: Annotated[int, Option(f"views {TOGETHER}", MANNER, reading=count)] = 4
    side_px: Annotated[int, Option("of views (default: %(default)s)", MANNER, "PX", square_side)] = 384
    width_px: Annotated[int, Option("to which wider images are reduced (default: %(default)s)", metavar="PX")] = (
        WORKING_WIDTH_PX
    )
    enlarge: Annotated[
        float,
        Option(
            "times, 1 to 4, narrower images, for crystals of a few pixels (default: %(default)g)",
            *("", "FACTOR", enlargement),
        ),
    ] = 1.0
    normalisation: Annotated[
        Literal["local-contrast-1", "centred-1", "clahe-1"], Option("of images (default: local-contrast-1)")
    ] = "local-contrast-1"
    teach_drops: Annotated[bool, Option("teach where the drop is, too (mask-rcnn-...)")] = False
    pretrained: Annotated[bool, Option("begin with published weights of torchvision (mask-rcnn-...)")] = False


def add_options(parser: argparse.ArgumentParser, request: type[Request]) -> None:
    """Give `parser` an option for each field of `request` that is one."""
    groups: dict[str, Any] = {"": parser}
    hints = get_type_hints(request, include_extras=True)
    for each in (each for each in fields(request) if get_origin(hints[each.name]) is Annotated):
        kind, option = get_args(hints[each.name])
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        given: dict[str, Any] = {"required": True} if each.default is MISSING else {"default": each.default}
        flag = "--" + each.name.removesuffix("_px").replace("_", "-")
        groups[option.group].add_argument(flag, dest=each.name, help=option.text, **given, **_reading(kind, option))


def _reading(kind: Any, option: Option) -> dict[str, Any]:
    """Return how argparse reads the values of an option."""
    if option.reading:
        return {"type": option.reading, "metavar": option.metavar}
    kinds = [each for each in get_args(kind) if each is not NoneType] if NoneType in get_args(kind) else [kind]
    if kinds == [bool]:
        return {"action": "store_true"}
    if choices := get_args(kinds[0]):
        return {"choices": choices, "type": type(choices[0])}
    return {"type": kinds[0], "metavar": option.metavar}


def asked(request: type[Asked], arguments: argparse.Namespace, command: str) -> Asked:
    """Return the request that was typed as `command`."""
    typed = {each.name: vars(arguments)[each.name] for each in fields(request) if each.name in arguments}
    return request(**(typed | {"command": command}))
