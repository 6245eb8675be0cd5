"""``import crystal_search`` in notebooks and scripts, and what docs/python.md says of it."""

import ast
import csv
import doctest
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import crystal_search as cs
from crystal_search.columns import written
from crystal_search.demo.truth import plate_folder
from crystal_search.errors import CrystalSearchError, ImageError, ModelError, UserError
from crystal_search.formats.picture import MIN_SIDE_PX
from crystal_search.main import main
from crystal_search.server.home import Home
from tests.integration.pictures import encoded, well

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "onnxruntime", "PIL", "simplejpeg", "sqlalchemy", "multiprocessing", "argparse", "logging")


def test_importing_it_does_nothing_heavy() -> None:
    code = f"import sys, crystal_search; dir(crystal_search); sys.exit(sorted(set({HEAVY}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_type_checkers_see_what_there_is() -> None:
    stub = ast.parse((ROOT / "crystal_search" / "__init__.pyi").read_text())
    seen = [name.asname for node in stub.body if isinstance(node, ast.ImportFrom) for name in node.names]
    assert sorted(map(str, seen)) == cs.__all__
    assert set(cs.__all__) <= set(dir(cs))
    assert all(getattr(cs, name).__doc__ for name in cs.__all__)
    assert (ROOT / "crystal_search" / "py.typed").exists()


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'crystal_search' has no attribute 'scroe'"):
        cs.scroe  # type: ignore[attr-defined]  # noqa: B018


def test_rows_are_those_of_the_command(tmp_path: Path) -> None:
    out, names = tmp_path / "out.csv", ["demo_01A_1.jpg", "demo_04B_1.jpg", "demo_10D_1.jpg", "demo_12H_1.jpg"]
    paths = [*(plate_folder() / name for name in names), tmp_path / "missing.jpg"]
    assert main(["score", *map(str, paths), "--csv", str(out), "--workers", "2"]) == 1
    with out.open(newline="") as file:
        told = list(csv.DictReader(file))
    rows = cs.score_many(paths, workers=2)
    assert [tuple(row) for row in rows] == [tuple(row) for row in told]
    for row, text in zip(rows, told, strict=True):
        for column in row.keys() - {"seconds"}:
            value = row[column]
            if isinstance(value, float):
                assert value == pytest.approx(float(text[column]), abs=1e-4)
            else:
                assert written({column: value})[column] == text[column]
    assert [row["error"] is None for row in rows] == [True] * 4 + [False]


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "b.jpg").write_bytes(encoded(well()))
    (tmp_path / "inner" / "a.png").write_bytes(encoded(well(drop=False), "PNG"))
    (tmp_path / "notes.txt").write_text("no image")
    rows = cs.score_many(tmp_path, workers=1)
    assert [Path(str(row["path"])).name for row in rows] == ["b.jpg", "a.png"]
    assert [row["drop_found"] for row in rows] == [True, False]
    again = cs.score_many(str(tmp_path))
    assert [row | {"seconds": 0} for row in again] == [row | {"seconds": 0} for row in rows]


def test_no_images_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no images"):
        cs.score_many(tmp_path)


def comparable(score: cs.ImageScore) -> cs.ImageScore:
    return replace(score, seconds={})


@pytest.mark.parametrize(
    "pixels",
    [
        well(),
        np.dstack([well(), well(seed=1), well(seed=2)]),
        well().astype(np.uint16) * 16,
        well(height=1500, width=3000)[:, ::-1],
    ],
    ids=["grey", "rgb", "twelve bits", "wide, backwards"],
)
def test_pixels_give_the_score_of_a_file_that_holds_them(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(encoded(np.ascontiguousarray(pixels), "PNG"))
    assert comparable(cs.score(pixels)) == comparable(cs.score(path)) == comparable(cs.score(str(path)))


def test_deep_colours_are_read() -> None:
    eight = np.dstack([well(), well(seed=1), well(seed=2)])
    assert comparable(cs.score(eight.astype(np.uint16) * 256)) == comparable(cs.score(eight))
    assert comparable(cs.score(eight.astype(">u2") * 16)) == comparable(cs.score(eight))


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((600, 800)), "the pixels are float64; expected uint8 or uint16"),
        (np.zeros((600, 800), np.int16), "the pixels are int16"),
        (np.zeros((600, 800, 4), np.uint8), r"shape \(600, 800, 4\); expected \(rows, columns\)"),
        (np.zeros(600, np.uint8), r"shape \(600,\)"),
        (np.zeros((MIN_SIDE_PX - 1, 800), np.uint8), "the image is 800 x 127 px"),
    ],
)
def test_what_is_no_image_is_said(pixels: NDArray[np.generic], said: str) -> None:
    with pytest.raises(ImageError, match=said):
        cs.score(pixels)


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(encoded(well())[:3000])
    with pytest.raises(CrystalSearchError, match=r"cut\.jpg: the JPEG cannot be decoded"):
        cs.score(tmp_path / "cut.jpg")


def test_an_image_without_a_drop() -> None:
    found = cs.score(well(drop=False))
    assert (found.outcome, found.score, found.drop, found.probabilities) == ("no_drop", None, None, {})


def test_models_and_threshold_are_those_of_the_installation(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    home.settings.write_text("threshold = 0.01\n")
    lenient = cs.load(home=home.path)
    found = cs.score(well(), lenient)
    assert found.score is not None
    assert (found.score.group.value, found.score.above_threshold) == ("crystal", True)
    assert cs.load(home=str(home.path), threshold=0.5).parameters.threshold == 0.5
    (row,) = cs.score_many(_saved(tmp_path), lenient)
    assert row["group"] == "crystal"


def _saved(folder: Path) -> Path:
    Image.fromarray(well()).save(folder / "well.png")
    return folder / "well.png"


def test_models_that_cannot_be_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Crystal Search installation"):
        cs.load(home=tmp_path / "none")
    with pytest.raises(UserError, match="give one of them"):
        cs.load(tmp_path, home=tmp_path)
    with pytest.raises(UserError, match="above 0 and at most 1, got 85"):
        cs.load(threshold=85)
    with pytest.raises(ModelError):
        cs.load(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_page_says_what_is_so() -> None:
    page, names = (ROOT / "docs" / "python.md").read_text(), dict[str, object]()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        example = doctest.DocTestParser().get_doctest(block, names, "docs/python.md", None, None)
        runner = doctest.DocTestRunner()
        runner.run(example, clear_globs=False)
        names = example.globs
        assert runner.summarize().failed == 0


def test_every_attribute_on_the_page_is_there() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+) \|", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    assert named
    assert all(hasattr(cs.score(well()), name) for name in named)


def test_the_notebook_runs() -> None:
    pytest.importorskip("pandas")
    notebook = json.loads((ROOT / "docs" / "examples" / "score.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells)
    names: dict[str, object] = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert len(names["table"]) == 96  # type: ignore[arg-type]
