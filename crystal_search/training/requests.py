"""What a training can be asked for. The options of ``crystal-search train`` are the fields of these records."""

import argparse
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from crystal_search.arguments import count
from crystal_search.images import WORKING_WIDTH_PX

SHIPPED, NOTHING = Path("shipped"), Path("nothing")  #: beside the folder of a training, what trainings may begin with
LENGTH, MANNER, PLACE = "how long", "how", "on what"  #: groups of options
TOGETHER = "a step, of all processes together (default: %(default)s)"
Asked = TypeVar("Asked", bound="Request")


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
    start_from: Annotated[Path | None, Option("begin with the weights of another training", metavar="RUN")] = None
    epochs: Annotated[float | None, Option("of tasks that have epochs; parts of one too", LENGTH)] = None
    steps: Annotated[int | None, Option("batches", LENGTH)] = None
    hours: Annotated[float | None, Option("end when so much time is over; the rate follows the clock", LENGTH)] = None
    patience: Annotated[
        int | None, Option("validations without a gain; default: 10 with one-cycle (0: never), 3 with steps", LENGTH)
    ] = None
    validate_every: Annotated[int | None, Option("default: 100", LENGTH, "STEPS", count)] = 100
    checkpoint_minutes: Annotated[float, Option("default: 5, and after every validation", LENGTH, "MINUTES")] = 5.0
    schedule: Annotated[Literal["one-cycle", "steps"], Option("steps is the paper's way", MANNER)] = "one-cycle"
    rate: Annotated[float | None, Option("one-cycle's peak, or the first of the steps (default 1e-2)", MANNER)] = None
    batch_size: Annotated[int, Option(f"samples {TOGETHER}", MANNER, reading=count)] = 32
    seed: Annotated[int, Option("default: 0", MANNER)] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Option("default: a GPU where there is one", PLACE)] = "auto"
    precision: Annotated[Literal["auto", "float32", "bf16", "fp16"], Option("default: bf16 where native", PLACE)] = (
        "auto"
    )
    workers: Annotated[int | None, Option("processes that make batches; default: 0, beside a GPU up to 16", PLACE)] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopRequest(Request):
    """A classifier is to learn the chops of a dataset."""

    classes: Annotated[Literal[13, 5, 4] | None, Option("default: as many as the labels have")] = None
    pretrained: Annotated[bool, Option("begin with ImageNet weights of torchvision")] = False
    validate_every: Annotated[int | None, Option("default: after every epoch", LENGTH, "STEPS", count)] = None
    validation_chops: Annotated[int, Option("always the same (default: %(default)s)", LENGTH, reading=count)] = 2000
    balance: Annotated[Literal["none", "sqrt", "equal"], Option("of classes (default: sqrt)", MANNER)] = "sqrt"
    label_smoothing: Annotated[float, Option("default: %(default)s", MANNER)] = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest(Request):
    """A classifier is to learn every cell of wells whose outcomes are known place by place."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "squeezenet"
    start_from: Annotated[
        Path | None, Option("begin with the weights of another training, or with shipped", metavar="RUN")
    ] = None
    patience: Annotated[int | None, Option("validations without a gain (default: 0: never)", LENGTH)] = 0
    batch_size: Annotated[int, Option(f"crops {TOGETHER}", MANNER, reading=count)] = 12
    width_px: Annotated[int, Option("of the images it is for (default: %(default)s)", metavar="PX")] = WORKING_WIDTH_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest(Request):
    """A drop locator is to learn the masks of whole images."""

    network: Annotated[str, Option("default: %(default)s", metavar="NAME")] = "u-net"
    batch_size: Annotated[int, Option(f"images {TOGETHER}", MANNER, reading=count)] = 8
    start_from: Annotated[
        Path | None,
        Option(
            "begin with the weights of another training, or with shipped, or nothing (default: shipped where DATASET "
            "has photographs, nothing where it is rendered)",
            metavar="RUN",
        ),
    ] = None


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
    kinds = [each for each in get_args(kind) if each is not NoneType] if NoneType in get_args(kind) else [kind]
    if kinds == [bool]:
        return {"action": "store_true"}
    if choices := get_args(kinds[0]):
        return {"choices": choices, "type": type(choices[0])}
    return {"type": option.reading or kinds[0], "metavar": option.metavar}


def asked(request: type[Asked], arguments: argparse.Namespace, command: str) -> Asked:
    """Return the request that was typed as `command`."""
    typed = {each.name: vars(arguments)[each.name] for each in fields(request) if each.name in arguments}
    return request(**(typed | {"command": command}))
