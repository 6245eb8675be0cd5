"""The file of a model's card: JSON of version 7 (docs/model-card.md); versions 1 to 6 are read as well."""

import json
import re
from dataclasses import asdict, replace
from functools import lru_cache

from crystal_search.errors import ModelCardError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.images import NORMALISATIONS
from crystal_search.model_card import MAX_NUMBERS, ROLES, Measurement, ModelCard, Output

CARD_FORMAT, CARD_VERSION = "crystal-search model card", 7
MAX_CARD_BYTES = 1_000_000
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(onnx|readout\.json)")
ABOUT = ("training_data", "training_command", "measured")  #: what a card tells people, last in its file
OLD_KINDS = {"classifier": "classifier", "drop_locator": "drop"}  #: a role's name in version 1


def card_to_json(card: ModelCard) -> str:
    """Return the card as the text of its file."""
    fields = asdict(card)
    about = {name: fields.pop(name) for name in ABOUT}
    if fields.get("enlarged") == 1:
        del fields["enlarged"]
    content = {"format": CARD_FORMAT, "version": CARD_VERSION, "role": card.role} | fields | about
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@lru_cache(maxsize=64)  # the cards of the models in use are read for every result
def card_from_json(text: bytes) -> ModelCard:
    """Return the card that `text` holds, in version 7 to 1.

    Raises
    ------
    ModelCardError
        If the text is no card, or says something no model can be.
    """
    if len(text) > MAX_CARD_BYTES:
        raise ModelCardError(f"the card has {len(text)} bytes; at most {MAX_CARD_BYTES} are read")
    return read_whole(text, "card", ModelCardError, _card)


def _card(read: Reader) -> ModelCard:
    version = read.format(CARD_FORMAT, CARD_VERSION)
    kind = ROLES[role_in(read, version)]
    told = {
        "name": read.text("name", limit=100),
        "file": _file(read, kind),
        "sha256": read.sha256("sha256"),
        "architecture": read.text("architecture", limit=100),
        "working_width_px": read.integer("working_width_px", 16, 10_000),
        "normalisation": read.choice("normalisation", sorted(NORMALISATIONS)),
        "outputs": _outputs(read, version),
        "training_data": read.text("training_data", limit=10_000),
        "training_command": read.text("training_command", limit=10_000),
        "measured": read.objects("measured", _measurement, limit=1000),
    }
    return kind.of(told, read, version)


def role_in(read: Reader, version: int) -> str:
    """Return the role that a card, or a record of models in use, names; in version 1 it was called a kind."""
    return read.choice("role", ROLES) if version > 1 else OLD_KINDS[read.choice("kind", OLD_KINDS)]


def _file(read: Reader, kind: type[ModelCard]) -> str:
    name = read.text("file", pattern=FILE_NAME)
    if not name.endswith(kind.suffix):
        read.fail("file", f"a name that ends in {kind.suffix}", name)
    return name


def _outputs(read: Reader, version: int) -> tuple[Output, ...]:
    if version == 1:  # it has one output, and its fields in the card itself
        return (Output(classes=read.texts("classes", limit=100), stride_px=read.integer("output_stride_px", 1, 256)),)
    outputs = read.objects("outputs", _output if version > 2 else _output_with_names, limit=100)
    if not outputs or len({each.name for each in outputs}) != len(outputs):
        read.fail("outputs", "one output or more, each of another name", [each.name for each in outputs])
    return outputs


def _output(read: Reader) -> Output:
    numbers, offset_px = read.integer("numbers", 0, MAX_NUMBERS), read.optional_integer("offset_px", 0, 4096)
    output = replace(_output_with_names(read), numbers=numbers, offset_px=offset_px)
    if bool(output.classes) == bool(numbers):
        read.fail("numbers", "0 where there are classes, and above it where there are none", numbers)
    return output


def _output_with_names(read: Reader) -> Output:
    return Output(
        name=read.text("name", limit=100),
        classes=read.texts("classes", limit=100),
        stride_px=read.integer("stride_px", 1, 256),
    )


def _measurement(read: Reader) -> Measurement:
    return Measurement(
        data=read.text("data", limit=1000),
        measure=read.text("measure", limit=200),
        value=read.number("value", -1e12, 1e12),
        count=read.integer("count", 0, 10**9),
    )
