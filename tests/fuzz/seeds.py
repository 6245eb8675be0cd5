"""``python -m tests.fuzz.seeds``: writes what the corpora begin with, small and without anybody's files.

Each is taken by its reader; the fuzzer finds by itself what is refused. What it found is kept beside them, by hand,
as ``found-...``.
"""

import csv
import io
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.archives.recordio import MAGIC_BYTES
from crystal_search.model import IN_USE, default_models_folder
from tests.fuzz.targets import CORPUS, GOLDEN, write_layers
from tests.tfrecord_writer import example, framed
from tests.unit.old_weights_files import keras_conv, keras_input, keras_layer, params_bytes

SEED = "seed-"  #: begins the name of each
ROWS, COLUMNS = 128, 160  #: of pictures; the smallest that are read
SCORES = "plate;well;outcome;score_number;group;work_unit;image_id\nP1;A01;clear;0;clear;demo-1;7\n"
TABLE = 'file,outcome,split,plate,row,column,drop,uv\na.jpg,clear,train,P1,A,1,1,\n"b, c.png",other,test,,,,,x.jpg\n'
VMXI = b"image,label\na,7\n"
CORRECTIONS = "image\twell\told\tnew\nP1/a.jpg\tP1 A01.1\tclear\tcrystal_harvestable\n"
OWNERS = "plate,project,owner,people\nP1,mx-1,Ada,Ben; Zoe\n"
WELLS = "plate;well;drop;condition_name;ingredient_1;concentration_1;ph_1;ingredient_2\nP1;C7;2;J;HEPES;0,1;7,5;PEG\n"
SCREEN = (
    "<screen><conditions><condition><conditionIngredient><concentration>25</concentration><pH>7</pH>"
    "<type>Buffer</type><stockLocalID>1</stockLocalID></conditionIngredient></condition></conditions>"
    "<ingredients><ingredient><name>PEG</name><stocks><stock><localID>1</localID><units>%</units></stock></stocks>"
    "</ingredient></ingredients></screen>"
)
VOC = (
    "<annotation><folder>P1</folder><filename>a.jpg</filename><size><width>48</width><height>32</height>"
    "<depth>3</depth></size><object><name>crystal</name><truncated>1</truncated><difficult>1</difficult>"
    "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>9.5</xmax><ymax>8</ymax></bndbox></object></annotation>"
)
OBJECTS = (
    "image,height_px,width_px,mask,object,class,annotator,too_faint,crowd,probability\n"
    "a.jpg,,,a.png,1,crystal,ann,yes,no,0.5\nb.jpg,30,40,,,,ben,,,\n"
)
SETTINGS = 'threshold = 0.9\nengine = "local"\nimages_per_unit = 4\ndatabase_url = "sqlite://"\nmodels = "m"\n'
INIT_DATA = (
    "<app_init_data>\n<client_pid>4711</client_pid>\n<wu_cpu_time>12.5</wu_cpu_time>\n"
    "<comm_obj_name>boinc_0</comm_obj_name>\n</app_init_data>\n"
)
SCORE = {"image_id": 7, "outcome": "clear", "person": "Ada", "comment": "at the edge"}
NAMES = {
    "rigaku": "a_b_c_d_e_f_g_0000CI022987_3_121121_1_2_1_x.jpg",
    "formulatrix": "x/plateID_12/batchID_345/wellNum_7/profileID_1/d1_r1234_ef.jpg",
    "rm-export": "LCP-7_A1_ImagerDefaults_C_1234.jpg",
    "plate-well": "P1_A01_2_uv.jpg",
    "well": "P1 uv/2026-01-31/B10.d2.png",
    "xchem": "90j8_2018-04-11_RI1000-0081-2drop/90j8_02C_1.jpg",
    "hwi": "X000005645200509052032.jpg/X0000056450155200509052032.jpg",
}
PATTERNS = {
    "drop": "(?P<plate>[^_]+)_(?P<row>[A-H])(?P<column>\\d+)_(?P<drop>\\d)\\.jpg\nx/P1_A01_2.jpg",
    "date": "(?P<row>[A-P])-(?P<column>[0-9]+)-(?P<date>.+)-(?P<channel>uv|visible)\\.png\nB-7-2024.05.06-uv.png",
    "time": "(?P<row>\\d+)/(?P<column>\\d+)/(?P<inspection>\\d+)\\.tif\nP/3/4/5.tif",
}


def seeds() -> dict[str, dict[str, bytes]]:
    """Return what each target's corpus begins with, by name."""
    return {
        "result": {f"{n}.json": _golden(f"result-{n}.json") for n in (1, 2, 3, "3-crystals")},
        "work_unit": {f"{n}.json": _golden(f"work-unit-{n}.manifest.json") for n in (1, 2, "2-crystals")}
        | {"2.zip": _golden("work-unit-2.zip")},
        "model_card": {f"{n}.json": _golden(f"model-card-{n}.json") for n in (1, 2, 3, 4, 5)},
        "in_use": {"2.json": (default_models_folder() / IN_USE).read_bytes()},
        "score_request": {"score.json": json.dumps(SCORE).encode()},
        "settings": {"settings.toml": SETTINGS.encode()},
        "score_csv": {"semicolons.csv": SCORES.encode(), "commas.csv": SCORES.replace(";", ",").encode("utf-8-sig")},
        "facts": {"owners.csv": OWNERS.encode(), "wells.csv": WELLS.encode()},
        "screen": {"peg.xml": SCREEN.encode()},
        "tables": {"images.csv": TABLE.encode(), "corrections.csv": CORRECTIONS.encode(), "vmxi.csv": VMXI},
        "coco": {"annotations.json": json.dumps(_annotations()).encode()},
        "labelme": {"a.json": json.dumps(_shapes()).encode()},
        "convert": {"annotations.json": json.dumps(_annotations()).encode(), "a.json": json.dumps(_shapes()).encode()},
        "zooniverse": {"classifications.csv": _looks()},
        "voc": {"a.xml": VOC.encode()},
        "mask_pictures": _masks() | {"numbers.png": _golden("annotations/instances/a.png")},
        "mask_tables": {"objects.csv": OBJECTS.encode()},
        "drawn_mask": _masks(),
        "tfrecord": {"a.tfrecord": _records()},
        "recordio": {"a.rec": _packed((3.0,), b"abc") + _packed((4.0,), b"defgh"), "split.rec": _split()},
        "mxnet_params": {f"{layout}.params": _params(layout) for layout in ("dense", "earlier", "first")},
        "mxnet_symbol": {"operators.json": _golden("old-weights/operators-symbol.json")},
        "keras": {"layers.json": json.dumps(_layers()).encode(), "small.hdf5": _hdf5()},
        "robot_names": {name: path.encode() for name, path in NAMES.items()},
        "own_pattern": {name: text.encode() for name, text in PATTERNS.items()},
        "slot": {"init_data.xml": INIT_DATA.encode(), "suspend": _messages(), "link": b"<soft_link>../a</soft_link>\n"},
    } | _pictures()


def _golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def _annotations() -> dict[str, Any]:
    mask = {"size": [4, 5], "counts": [6, 3, 11]}
    seen = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": mask, "oriented_box": [1.0, 2.0, 3.0, 2.0, 0.5]}
    return {
        "categories": [{"id": 1, "name": "crystal_harvestable"}],
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [seen, seen | {"id": 2, "too_faint": True, "iscrowd": 1}],
    }


def _shapes() -> dict[str, Any]:
    square = [[1.0, 1.0], [8.5, 1.0], [8.5, 6.0]]
    shapes = [
        {"label": "drop", "points": [[0, 0], [9, 7]], "shape_type": "rectangle"},
        {"label": "crystal 1", "points": square, "shape_type": "polygon"},
        {"label": "crystal 2", "points": square[:2], "shape_type": "circle"},
    ]
    return {"shapes": shapes, "imageHeight": 8, "imageWidth": 10, "imagePath": "a.jpg"}


def _looks() -> bytes:
    """Return the classifications of two people, with a mark of every kind."""
    points = [{"x": 9, "y": 9}, {"x": 12.5, "y": 9}, {"x": 12, "y": 12}]
    marks: list[dict[str, Any]] = [
        {"tool": 0, "points": points, "tool_label": "Crystal", "details": [{"value": 0}]},
        {"tool": 1, "pathX": [1, 5, 5, 1], "pathY": [1, 1, 4, 1]},
        {"tool": 2, "x": 24, "y": 16, "rx": 6, "ry": 4, "angle": 30},
        {"tool": 3, "x": 3, "y": 2, "width": 4, "height": 6.5},
        {"toolIndex": 4, "x_center": 20, "y_center": 20, "width": 8, "height": 3, "angle": 45},
        {"toolIndex": 5, "x_center": 20, "y_center": 20, "rx": 8, "ry": 3},
        {"toolIndex": 6, "x_center": 9, "y_center": 9, "r": 2},
        {"tool": 7, "x1": 1, "y1": 1, "x2": 9, "y2": 9},
        {"tool": 8, "x": 1, "y": 1},
    ]
    size = json.dumps({"subject_dimensions": [{"naturalWidth": 48, "naturalHeight": 32}]})
    subject = json.dumps({"7": {"Filename": "day 3/a.jpg"}})
    rows = [
        ("user_name", "workflow_id", "metadata", "annotations", "subject_data"),
        ("ann", "1", size, json.dumps([{"task": "T0", "value": marks}, {"task": "T1", "value": "Yes"}]), subject),
        ("not-logged-in-ab", "1", "{}", "[]", subject),
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _masks() -> dict[str, bytes]:
    mask = Pillow.new("L", (40, 30))
    mask.paste(255, (10, 5, 30, 25))
    palette = mask.point(lambda value: value // 255).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    clear = Pillow.merge("RGBA", (mask, mask, mask, mask))
    return dict(_saved("PNG", {"grey": mask, "palette": palette, "clear": clear}))


def _records() -> bytes:
    image: dict[str, int | bytes | float] = {
        "image/encoded": b"abc",
        "image/class/text": b"Crystals",
        "image/class/label": 1,
        "image/filename": b"03c3_G6_ImagerDefaults_6.jpg",
        "image/id": 5,
        "image/height": 1.5,
    }
    return framed(example(image)) + framed(example(image | {"image/class/text": b"Clear", "image/id": 6}))


def _packed(labels: tuple[float, ...], content: bytes, identifier: int = 7) -> bytes:
    head = struct.pack("<IfQQ", 0 if len(labels) == 1 else len(labels), labels[0], identifier, 0)
    return _part(0, head + (b"" if len(labels) == 1 else struct.pack(f"<{len(labels)}f", *labels)) + content)


def _part(kind: int, data: bytes) -> bytes:
    return MAGIC_BYTES + struct.pack("<I", kind << 29 | len(data)) + data + bytes(-len(data) % 4)


def _split() -> bytes:
    head = struct.pack("<IfQQ", 0, 2.0, 9, 0)
    return _part(1, head + b"ab12") + _part(2, b"cd34") + _part(3, b"ef")


def _params(layout: str) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "arg:fc_weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "aux:moving_mean": np.ones(2, np.float16),
    }
    return params_bytes(arrays, layout)


def _layers() -> dict[str, Any]:
    layers = [
        keras_input(8),
        keras_conv("a", "input_1"),
        keras_layer("BatchNormalization", "norm", "a", axis=3, epsilon=1e-3),
        keras_layer("MaxPooling2D", "pool", "norm", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        keras_conv("b", "pool"),
        keras_layer("Dropout", "drop", "b", rate=0.5),
        keras_layer("UpSampling2D", "double", "drop", size=[2, 2]),
        keras_layer("Concatenate", "join", "a", "double", axis=3),
        keras_conv("last", "join", "sigmoid"),
    ]
    return {"class_name": "Model", "config": {"layers": layers, "output_layers": [["last", 0, 0]]}}


def _hdf5() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "small.hdf5"
        write_layers(path, json.dumps(_layers()).encode())
        return path.read_bytes()


def _messages() -> bytes:
    channels = [b"\x01<suspend/>\n", b"", b"", b"", b"\x01<heartbeat/>\n", b"\x01<fraction_done>1</fraction_done>"]
    return b"".join(each.ljust(1024, b"\0") for each in channels)


def _pictures() -> dict[str, dict[str, bytes]]:
    """Return pictures of a smooth drop, in the forms that cameras write."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    smooth = 120 + 80 * np.sin(row / 20) * np.cos(column / 25)
    grey = Pillow.fromarray(smooth.astype(np.uint8))
    deep = (smooth // 32 * 512).astype(np.uint16)  # of a few values, which is small when it is packed
    colour, palette = Pillow.merge("RGB", (grey, grey.rotate(180), grey)), grey.quantize(8)
    few = np.asarray(palette.convert("L"))
    three = np.dstack((few, few[::-1], few))
    tiff: dict[str, bytes] = {
        "lzw": _tiff(few, compression="lzw", predictor=2),
        "strips": _tiff(few, compression="packbits", rowsperstrip=64),
        "deflate": _tiff(deep, compression="adobe_deflate", byteorder=">", extratags=[(341, 3, 1, 4095, True)]),
        "planes": _tiff(np.moveaxis(three, 2, 0), compression="lzw", planarconfig="separate", photometric="rgb"),
        "tiles": _tiff(few.astype(np.int32), compression="adobe_deflate", tile=(64, 64), bigtiff=True),
        "palette": _tiff(few // 64, compression="lzw", photometric="palette", colormap=np.eye(3, 256, dtype=np.uint16)),
        "white": _tiff(few, compression="adobe_deflate", photometric="miniswhite"),
        "pages": _tiff(np.stack((few, few[::-1])), compression="adobe_deflate", photometric="minisblack"),
    }
    return {
        "jpeg": dict(_saved("JPEG", {"grey": grey, "colour": colour}, quality=40))
        | dict(_saved("JPEG", {"progressive": colour}, quality=30, progressive=True, exif=_exif()))
        | dict(_saved("JPEG", {"cmyk": colour.convert("CMYK")}, quality=20)),
        "png": dict(_saved("PNG", {"grey": palette.convert("L"), "palette": palette, "two": grey.convert("1")}))
        | dict(_saved("PNG", {"deep": Pillow.fromarray(deep), "alpha": palette.convert("LA")})),
        "tiff": {f"{name}.tiff": data for name, data in tiff.items()}
        | dict(_saved("TIFF", {"jpeg": colour}, compression="jpeg")),
        "bmp": dict(_saved("BMP", {"two": grey.convert("1"), "grey": grey.crop((0, 0, ROWS, ROWS))})),
    }


def _tiff(pixels: NDArray[Any], *, byteorder: Literal["<", ">"] = "<", bigtiff: bool = False, **options: Any) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, byteorder=byteorder, bigtiff=bigtiff) as writer:
        writer.write(pixels, metadata=None, software="", **options)
    return stream.getvalue()


def _exif() -> Pillow.Exif:
    exif = Pillow.Exif()
    exif[274] = 6
    return exif


def _saved(kind: str, pictures: dict[str, Pillow.Image], **options: Any) -> Iterator[tuple[str, bytes]]:
    for name, picture in pictures.items():
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        yield f"{name}.{kind.lower()}", stream.getvalue()


def main() -> None:
    """Write the seeds of every target, in place of those that are there."""
    for target, files in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{SEED}*"):
            old.unlink()
        for name, data in files.items():
            (folder / f"{SEED}{name}").write_bytes(data)
    size = sum(each.stat().st_size for each in CORPUS.rglob("*") if each.is_file())
    sys.stdout.write(f"{size} bytes in {CORPUS}\n")


if __name__ == "__main__":
    main()
