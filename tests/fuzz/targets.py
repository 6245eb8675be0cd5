"""What is fuzzed: every reader of bytes that others wrote, as a function of these bytes.

A target returns what was read, and None where the reader refused it with one of the errors that it promises. Anything
else that comes out is a finding, and so is a promise about what was read that does not hold.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_format import WriteOptions
from crystal_search.annotations.coco_json import FILE as ANNOTATIONS
from crystal_search.annotations.converting import write_annotations
from crystal_search.annotations.format_kinds import WRITTEN, format_at, read_annotations
from crystal_search.annotations.mask_pictures import INSTANCE_TABLE, MASK_TABLE
from crystal_search.archives.archive import ArchiveImage, ArchiveOptions
from crystal_search.archives.coco_folder import open_coco
from crystal_search.archives.image_table import open_csv
from crystal_search.archives.marco import open_marco
from crystal_search.archives.mxnet_chops import open_recordio
from crystal_search.archives.outlines import read_outlines
from crystal_search.archives.vmxi import open_vmxi
from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.client.slot import CHANNELS, INIT_FILE, SHARED_BYTES, read_init_data, receive, resolved
from crystal_search.datasets.drawn_masks import mask_in
from crystal_search.datasets.whole_images import map_over
from crystal_search.errors import (
    ConfigError,
    ImageError,
    ModelCardError,
    ModelError,
    ResultError,
    UserError,
    WorkUnitError,
)
from crystal_search.images import DecodedImage, decode
from crystal_search.model import IN_USE, models_in_use
from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming, is_barcode
from crystal_search.old_weights.keras_file import read_keras_model
from crystal_search.old_weights.keras_graph import drop_locator_from_keras
from crystal_search.old_weights.mxnet_graph import Reading, classifier_from_mxnet
from crystal_search.old_weights.mxnet_params import read_params
from crystal_search.old_weights.mxnet_symbol import read_symbol
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.pictures import as_work_picture
from crystal_search.result import result_to_json
from crystal_search.result_reader import result_from_json
from crystal_search.review.corrections import read_corrections
from crystal_search.robot_conventions import CONVENTIONS
from crystal_search.robot_names import DETECTABLE, MAX_COLUMNS, MAX_DROPS, MAX_ROWS, detected, read_name
from crystal_search.server.importing.condition_table import conditions_of
from crystal_search.server.importing.owners_command import owners_in
from crystal_search.server.importing.screen_xml import conditions_in
from crystal_search.server.services.score_csv import read_csv
from crystal_search.server.settings import read_settings
from crystal_search.viewer.hand_scores import ScoreRequestError, read_comment, read_score, read_taking_back
from crystal_search.work_unit import image_bytes, manifest_from_json, manifest_to_json, read_work_unit
from tests.fuzz.mutations import Mutation, mutated_cells, mutated_json, with_png_checksums, with_record_checksums

GOLDEN = Path(__file__).parents[1] / "golden"
CORPUS = Path(__file__).parent / "corpus"
HDF5_MAGIC = b"\x89HDF"
REDUCED_PX = 100  #: to which pictures are reduced while they are decoded
CONVERTED_PX = 20_000  #: of images whose annotations are written as masks, too; each object of a large one takes long
KEEPS_NAMES = ("labelme", "zooniverse", "coco")  #: formats that an image's name survives
MAX_PATH = 300  #: characters of a name that is matched with a pattern somebody else invented


@dataclass(frozen=True, slots=True)
class Target:
    """One reader, and how its inputs are best spoilt."""

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]  #: what it may raise
    mutation: Mutation | None = None  #: beside the fuzzer's own
    mended: Callable[[bytes], bytes] = bytes  #: sets checksums right, so that what lies behind them is reached

    def __call__(self, data: bytes) -> object:
        """Return what the reader makes of `data`, None if it refuses them."""
        try:
            return self.read(data)
        except self.refusals:
            return None


@lru_cache
def _folder() -> Path:
    """Return a folder of this process, for readers of files."""
    in_memory = Path("/dev/shm")
    kept = TemporaryDirectory(prefix="fuzz-", dir=in_memory if in_memory.is_dir() else None)
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list["TemporaryDirectory[str]"] = []


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def check(holds: bool, promise: str) -> None:
    """Raise AssertionError where a promise does not hold."""
    if not holds:
        raise AssertionError(promise)


def result(data: bytes) -> object:
    """Read a client's result; what is written again is the same."""
    found = result_from_json(result_to_json(result_from_json(data)).encode())
    check(result_from_json(result_to_json(found).encode()) == found, "a result survives being written")
    return found


def work_unit(data: bytes) -> object:
    """Read a work unit, or the manifest of one."""
    if not data.startswith(b"PK"):
        found = manifest_from_json(data)
        check(manifest_from_json(manifest_to_json(found).encode()) == found, "a manifest survives being written")
        return found
    path = _file("unit.zip", data)
    unit = read_work_unit(path)
    for image in unit.images:
        check(len(image_bytes(path, image)) == image.size_bytes, "an image is as large as the manifest says")
    return unit


def model_card(data: bytes) -> object:
    """Read a model's card; what is written again is the same."""
    card = card_from_json(data)
    check(card_from_json(card_to_json(card).encode()) == card, "a card survives being written")
    return card


def in_use(data: bytes) -> object:
    """Read which models are in use."""
    return models_in_use(_file(IN_USE, data).parent)


def settings(data: bytes) -> object:
    """Read the settings of an installation."""
    return read_settings(_file("settings.toml", data))


def score_csv(data: bytes) -> object:
    """Read scores back that a person looked at."""
    return read_csv(_file("scores.csv", data))


def screen(data: bytes) -> object:
    """Read a screen as Rock Maker exports it."""
    return conditions_in(_file("screen.xml", data))


def facts(data: bytes) -> object:
    """Read what is in wells, and whose plates are, from a table."""
    path, found = _file("facts.csv", data), []
    for read in (conditions_of, owners_in):
        with suppress(UserError):
            found.append(read(path))
    return found or None


def tables(data: bytes) -> object:
    """Read a list of corrections, of an archive's images, of VMXi's images: all are tables that people wrote."""
    readers: tuple[Callable[[Path], object], ...] = (read_corrections, _listed_images, _vmxi_images)
    path, found = _file("table.csv", data), []
    for read in readers:
        with suppress(UserError):
            found.append(read(path))
    return found or None


def _listed_images(path: Path) -> object:
    return list(open_csv(path, ArchiveOptions()).images())


def _vmxi_images(path: Path) -> object:
    return list(open_vmxi(path, ArchiveOptions()).images())


def coco(data: bytes) -> object:
    """Read annotations, and the masks in them."""
    folder = _file(ANNOTATIONS, data).parent
    (folder / "a.png").touch()
    images = list(open_coco(folder, ArchiveOptions()).images())
    seen = chain.from_iterable(each.objects or () for each in images if isinstance(each, ArchiveImage))
    for each in seen:
        check(each.mask.shape == (each.height_px, each.width_px), "a mask is as large as its image")
    return images


def labelme(data: bytes) -> object:
    """Read outlines that people drew with labelme."""
    found = read_outlines(_file("a.json", data))
    check(all(each.mask.any() or not sum(each.runs[1::2]) for each in found.objects or ()), "a mask is where it says")
    return found if found.drop_mask or found.objects else None


def convert(data: bytes) -> object:
    """Read JSON that people drew with labelme or COCO, and write it in every format."""
    path = _file("drawn.json", data)
    return _converted(list(read_annotations(path, format_at(path))))


def zooniverse(data: bytes) -> object:
    """Read the classifications of a Zooniverse project, and write what was drawn in every format."""
    return _converted(list(read_annotations(_file("classifications.csv", data), "zooniverse")))


def voc(data: bytes) -> object:
    """Read boxes of Pascal VOC, and write them in every format."""
    return _converted(list(read_annotations(_file("drawn.xml", data), "voc")))


def mask_pictures(data: bytes) -> object:
    """Read a picture of classes, of the numbers of objects, of one object, and write what is in it in every format."""
    folder = _folder() / "masks of one"
    (folder / "a").mkdir(parents=True, exist_ok=True)
    path, found = _file(f"{folder.name}/a/1.png", data), []
    for place, name in ((path, "semantic"), (path, "instances"), (folder, "masks")):
        with suppress(UserError):
            found.append(_converted(list(read_annotations(place, name))))
    return found or None


def mask_tables(data: bytes) -> object:
    """Read a table beside masks, and write what is in these in every format."""
    found = []
    for file in (INSTANCE_TABLE, MASK_TABLE):
        folder = _folder() / file.replace(".", " ")
        folder.mkdir(exist_ok=True)
        (folder / "a.png").write_bytes(_two_objects())
        path = _file(f"{folder.name}/{file}", data)
        with suppress(UserError):
            found.append(_converted(list(read_annotations(path.parent, format_at(path.parent)))))
    return found or None


@lru_cache
def _two_objects() -> bytes:
    return (GOLDEN / "annotations" / "instances" / "a.png").read_bytes()


def _converted(images: list[AnnotatedImage]) -> object:
    """Write images in every format; a format may refuse them, but what it writes it reads."""
    is_small = all(0 < each.height_px * each.width_px <= CONVERTED_PX for each in images)
    for name in WRITTEN if is_small else KEEPS_NAMES:
        with TemporaryDirectory(dir=_folder()) as folder:
            out = Path(folder) / "out"
            try:
                write_annotations(images, out, name, WriteOptions())
            except UserError:
                continue
            if name in KEEPS_NAMES:
                again = {each.name for each in read_annotations(out, name)}
                check(again == {each.name for each in images}, f"{name} keeps the names of images")
    return images or None


def drawn_mask(data: bytes) -> object:
    """Read a picture that is a mask, or a map of outcomes."""
    shown = map_over(data, (30, 40))
    check(shown.shape == (30, 40), "a map is as large as it was asked for")
    mask = mask_in(data)
    check(mask.dtype == np.bool_ and mask.ndim == 2, "a mask has rows and columns")
    return mask


def tfrecord(data: bytes) -> object:
    """Read MARCO's images."""
    return list(open_marco(_file("a.tfrecord", data), ArchiveOptions()).images())


def recordio(data: bytes) -> object:
    """Read chops that MXNet's tools packed."""
    options = ArchiveOptions(classes=",".join(OUTCOME_NAMES))
    return list(open_recordio(_file("a.rec", data), options).images())


def mxnet_params(data: bytes) -> object:
    """Read MXNet's weights."""
    return read_params(data)


def mxnet_symbol(data: bytes) -> object:
    """Read MXNet's network, and build it with weights that fit one of the corpus."""
    reading = Reading(side_px=17, class_positions=tuple(range(13)))
    return classifier_from_mxnet(read_symbol(data), _golden_params(), reading)


@lru_cache
def _golden_params() -> dict[str, Any]:
    return read_params((GOLDEN / "old-weights" / "operators-0000.params").read_bytes())


def keras(data: bytes) -> object:
    """Read a Keras file, or the layers of one beside weights that fit one of the corpus, and build the network."""
    path = _file("model.hdf5", data if data.startswith(HDF5_MAGIC) else b"")
    if not data.startswith(HDF5_MAGIC):
        write_layers(path, data)
    return drop_locator_from_keras(read_keras_model(path))


def write_layers(path: Path, layers: bytes) -> None:
    """Write a Keras file of such layers, with weights that fit those of the corpus."""
    file_of: Any = import_module("h5py").File
    with file_of(path, "w") as file:
        with suppress(ValueError, RuntimeError, OSError):  # more than an attribute holds, or nothing
            file.attrs["model_config"] = np.bytes_(layers)
        for name, shapes in KERAS_WEIGHTS.items():
            group = file.create_group(f"model_weights/{name}")
            parts = [f"{name}/{number}" for number in range(len(shapes))]
            group.attrs["weight_names"] = [part.encode() for part in parts]
            for part, shape in zip(parts, shapes, strict=True):
                group.create_dataset(part, data=np.ones(shape, np.float32))


#: Layer -> shapes of its weights, of the network that the corpus begins with.
KERAS_WEIGHTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "a": ((3, 3, 1, 2), (2,)),
    "norm": ((2,), (2,), (2,), (2,)),
    "b": ((3, 3, 2, 3), (3,)),
    "last": ((1, 1, 5, 1), (1,)),
}


def robot_names(data: bytes) -> object:
    """Read a file's path by every convention that needs no more than a name."""
    path = data.decode("utf-8", errors="surrogateescape")
    readings = [read_name(path, Naming(convention=name)) for name in CONVENTIONS if name != "pattern"]
    found = [each for each in readings if isinstance(each, ReadName)]
    check(bool(detected([path], among=DETECTABLE)) == bool(found), "a convention that reads the name is detected")
    for each in found:
        check(is_barcode(each.plate) and 1 <= each.drop <= MAX_DROPS, "a plate and a drop are ones that can be")
        check(0 <= each.row < MAX_ROWS and 0 <= each.column < MAX_COLUMNS, "a well is on a plate")
    return found or None


def own_pattern(data: bytes) -> object:
    """Read a file's path by a facility's own pattern, which stands on the line before it."""
    pattern, _, path = data.decode("utf-8", errors="surrogateescape").partition("\n")
    plate = "" if "(?P<plate>" in pattern else "P1"
    found = read_name(path[:MAX_PATH], Naming(convention="pattern", pattern=pattern, plate=plate))
    return found if isinstance(found, ReadName) else None


def slot(data: bytes) -> object:
    """Read what a BOINC client says: in its file, in shared memory, and in a file that links to another."""
    told = read_init_data(_file(INIT_FILE, data).parent)
    check(told is not None, "there is a client")
    memory = bytearray(data[:SHARED_BYTES].ljust(SHARED_BYTES, b"\0"))
    messages = [receive(memory, channel) for channel in range(CHANNELS)]
    check(not any(receive(memory, channel) for channel in range(CHANNELS)), "a message is read once")
    return told, messages, resolved(_folder() / INIT_FILE)


def score_request(data: bytes) -> object:
    """Read what people send from a browser: a score, what they take back, a comment; two of them refuse it."""
    with suppress(ScoreRequestError):
        check(read_taking_back(data).person.isprintable(), "names can be printed")
    with suppress(ScoreRequestError):
        check(read_comment(data).text.isprintable(), "comments can be printed")
    score = read_score(data)
    check(score.person.isprintable() and score.comment.isprintable(), "texts can be printed")
    return score


def picture(data: bytes) -> object:
    """Decode a picture, whole and reduced, and as it is sent to clients."""
    whole, sent = decode(data), as_work_picture(data, ".picture")
    reduced = decode(data, at_least_width_px=REDUCED_PX)
    for each in (whole, reduced):
        _check_picture(each)
    check(np.array_equal(decode(sent.data).colour, whole.colour), "clients see what the server saw")
    size = whole.height_px, whole.width_px
    check(whole.colour.shape[:2] == size, "a picture that is not reduced has its own size")
    check((reduced.height_px, reduced.width_px) == size, "a reduced picture was as large")
    return whole


def _check_picture(image: DecodedImage) -> None:
    rows, columns, channels = image.colour.shape
    check(image.colour.dtype == np.uint8 and channels == 3, "a picture is RGB of 8 bit")
    check(0 < rows <= image.height_px and REDUCED_PX <= columns <= image.width_px, "a picture is reduced, not enlarged")


TARGETS: dict[str, Target] = {
    "result": Target(result, (ResultError,), mutated_json),
    "work_unit": Target(work_unit, (WorkUnitError,), mutated_json),
    "model_card": Target(model_card, (ModelCardError,), mutated_json),
    "in_use": Target(in_use, (ModelError,), mutated_json),
    "score_request": Target(score_request, (ScoreRequestError,), mutated_json),
    "settings": Target(settings, (ConfigError,)),
    "score_csv": Target(score_csv, (UserError,)),
    "tables": Target(tables, ()),
    "facts": Target(facts, ()),
    "screen": Target(screen, (UserError,)),
    "coco": Target(coco, (UserError,), mutated_json),
    "labelme": Target(labelme, (UserError,), mutated_json),
    "convert": Target(convert, (UserError,), mutated_json),
    "zooniverse": Target(zooniverse, (UserError,), mutated_cells),
    "voc": Target(voc, (UserError,)),
    "mask_pictures": Target(mask_pictures, (), mended=with_png_checksums),
    "mask_tables": Target(mask_tables, ()),
    "drawn_mask": Target(drawn_mask, (ImageError,), mended=with_png_checksums),
    "tfrecord": Target(tfrecord, (UserError,), mended=with_record_checksums),
    "recordio": Target(recordio, (UserError,)),
    "mxnet_params": Target(mxnet_params, (ModelError,)),
    "mxnet_symbol": Target(mxnet_symbol, (ModelError,), mutated_json),
    "keras": Target(keras, (ModelError,), mutated_json),
    "robot_names": Target(robot_names, ()),
    "own_pattern": Target(own_pattern, (UserError,)),
    "slot": Target(slot, ()),
    "jpeg": Target(picture, (ImageError,)),
    "png": Target(picture, (ImageError,), mended=with_png_checksums),
    "tiff": Target(picture, (ImageError,)),
    "bmp": Target(picture, (ImageError,)),
}


def inputs(name: str) -> Iterator[Path]:
    """Yield the files of a target's corpus, in order."""
    return iter(sorted((CORPUS / name).iterdir()))
