"""What a training can be asked for. The options of ``crystal-search train`` are the fields of these records."""

import argparse
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from crystal_search.arguments import count
from crystal_search.class_schemes import TRAINABLE
from crystal_search.networks.cards import CLASSIFIER_WIDTH_PX

SHIPPED, NOTHING = Path("shipped"), Path("nothing")  #: beside the folder of a training, what drops may begin with
LENGTH, MANNER, PLACE = "how long", "how", "on what"  #: groups of options
PATIENCE = "validations without a gain; default: 10 with one-cycle (0: never), 3 with steps"
Asked = TypeVar("Asked", bound="Request")


def option(text: str, *, group: str = "", **reading: Any) -> dict[str, Any]:
    """Return what makes a field an option; `reading` is for argparse, and without a default it must be given."""
    return {"help": text, "group": group, "reading": reading}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A training as it was asked for; None and ``auto`` leave the choice to the program."""

    command: str = ""  #: as it was typed
    quiet: bool = False  #: no progress bar
    network: str = field(metadata=option("name of the network", metavar="NAME"))
    data: Path = field(metadata=option("folder to learn from", type=Path, metavar="DATASET"))
    out: Path = field(metadata=option("folder for the training", type=Path, metavar="RUN"))
    resume: bool = field(default=False, metadata=option("go on from the checkpoint in RUN", action="store_true"))
    start_from: Path | None = field(
        default=None, metadata=option("begin with the weights of another training", type=Path, metavar="RUN")
    )
    epochs: float | None = field(
        default=None, metadata=option("of tasks that have epochs; parts of one too", group=LENGTH, type=float)
    )
    steps: int | None = field(default=None, metadata=option("batches", group=LENGTH, type=int))
    hours: float | None = field(
        default=None,
        metadata=option("end when so much training time is over; the rate follows the clock", group=LENGTH, type=float),
    )
    patience: int | None = field(default=None, metadata=option(PATIENCE, group=LENGTH, type=int))
    validate_every: int | None = field(
        default=100, metadata=option("default: 100", group=LENGTH, type=count, metavar="STEPS")
    )
    checkpoint_minutes: float = field(
        default=5.0, metadata=option("default: 5, and after every validation", group=LENGTH, type=float)
    )
    schedule: str = field(
        default="one-cycle",
        metadata=option("steps is the paper's way", group=MANNER, choices=("one-cycle", "steps")),
    )
    rate: float | None = field(
        default=None,
        metadata=option("one-cycle's peak, or the first of the steps (default 1e-2)", group=MANNER, type=float),
    )
    batch_size: int = field(
        default=32,
        metadata=option("samples a step, of all processes together (default: %(default)s)", group=MANNER, type=count),
    )
    seed: int = field(default=0, metadata=option("default: 0", group=MANNER, type=int))
    device: str = field(
        default="auto",
        metadata=option("default: a GPU where there is one", group=PLACE, choices=("auto", "cpu", "cuda")),
    )
    precision: str = field(
        default="auto",
        metadata=option("default: bf16 where native", group=PLACE, choices=("auto", "float32", "bf16", "fp16")),
    )
    workers: int | None = field(
        default=None,
        metadata=option("processes that make batches; default: 0, beside a GPU up to 16", group=PLACE, type=int),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopRequest(Request):
    """A classifier is to learn the chops of a dataset."""

    classes: int | None = field(
        default=None, metadata=option("default: as many as the labels have", type=int, choices=tuple(TRAINABLE))
    )
    pretrained: bool = field(
        default=False, metadata=option("begin with ImageNet weights of torchvision", action="store_true")
    )
    validate_every: int | None = field(
        default=None, metadata=option("default: after every epoch", group=LENGTH, type=count, metavar="STEPS")
    )
    validation_chops: int = field(
        default=2000,
        metadata=option("how many to look at, always the same (default: 2000)", group=LENGTH, type=count),
    )
    balance: str = field(
        default="sqrt", metadata=option("of classes (default: sqrt)", group=MANNER, choices=("none", "sqrt", "equal"))
    )
    label_smoothing: float = field(default=0.05, metadata=option("default: 0.05", group=MANNER, type=float))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest(Request):
    """A classifier is to learn every cell of wells whose outcomes are known place by place."""

    network: str = field(default="squeezenet", metadata=option("default: squeezenet", metavar="NAME"))
    patience: int | None = field(
        default=0, metadata=option("validations without a gain after which it ends (default: never)", type=int)
    )
    batch_size: int = field(
        default=12,
        metadata=option("crops a step, of all processes together (default: 12)", group=MANNER, type=count),
    )
    width_px: int = field(
        default=CLASSIFIER_WIDTH_PX,
        metadata=option("of the images it is for (default: %(default)s)", type=count, metavar="PX"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest(Request):
    """A drop locator is to learn the masks of whole images."""

    network: str = field(default="u-net", metadata=option("default: u-net", metavar="NAME"))
    batch_size: int = field(
        default=8,
        metadata=option("images a step, of all processes together (default: 8)", group=MANNER, type=count),
    )
    start_from: Path | None = field(
        default=None,
        metadata=option(
            "begin with the weights of another training, or with shipped, or nothing (default: shipped where "
            "DATASET has photographs, nothing where it is rendered)",
            type=Path,
            metavar="RUN",
        ),
    )


def add_options(parser: argparse.ArgumentParser, request: type[Request]) -> None:
    """Give `parser` an option for each field of `request` that is one."""
    groups: dict[str, Any] = {"": parser}
    for each in (each for each in fields(request) if each.metadata):
        title = each.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        given: dict[str, Any] = {"required": True} if each.default is MISSING else {"default": each.default}
        groups[title].add_argument(
            _flag(each), dest=each.name, help=each.metadata["help"], **given, **each.metadata["reading"]
        )


def _flag(option_field: "Field[Any]") -> str:
    return "--" + option_field.name.removesuffix("_px").replace("_", "-")


def asked(request: type[Asked], arguments: argparse.Namespace, command: str) -> Asked:
    """Return the request that was typed as `command`."""
    typed = {each.name: getattr(arguments, each.name) for each in fields(request) if each.metadata}
    return request(command=command, **typed)
