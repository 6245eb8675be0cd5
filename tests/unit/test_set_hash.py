"""The hash of a rendered set: it names the set, and is refused where the set was changed."""

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from crystal_search.archives.set_hash import set_hash
from crystal_search.errors import UserError
from crystal_search.evaluation.known_images import coco_truth
from crystal_search.images import picture_file
from crystal_search.synthesis.rendered_folder import CHECKSUMS, RenderedFolder

PIXELS = np.zeros((8, 8), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = RenderedFolder(tmp_path / "set", ("crystal_harvestable",), sheet=None)
    for number in range(2):
        written.write(f"images/{number}.png", picture_file(Pillow.fromarray(PIXELS + np.uint8(number))), PIXELS)
        written.add_image(number, f"{number}.png", (8, 8))
    written.finish()
    return tmp_path / "set"


def test_it_is_the_hash_of_what_sha256sum_checks(folder: Path) -> None:
    words = ["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS]
    subprocess.run(words, cwd=folder, check=True)
    lines = (folder / CHECKSUMS).read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["annotations.json", "images/0.png", "images/1.png"]
    assert set_hash(folder) == hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()


def test_what_is_judged_on_it_names_it(folder: Path) -> None:
    truth = coco_truth(folder, "validation")
    assert truth.sha256 == set_hash(folder)
    assert truth.name == f"validation ({truth.sha256[:12]})"
    assert truth.sha256[:12] in truth.source


def test_a_folder_that_people_annotated_has_none(folder: Path) -> None:
    (folder / CHECKSUMS).unlink()
    assert set_hash(folder) == ""
    assert coco_truth(folder, None).name == "set"


@pytest.mark.parametrize("change", ["images/0.png", "annotations.json"])
def test_a_file_that_was_changed_is_refused(folder: Path, change: str) -> None:
    (folder / change).write_bytes((folder / change).read_bytes() + b" ")
    with pytest.raises(UserError, match="is not the file that was rendered"):
        set_hash(folder)


def test_a_file_that_is_missing_is_refused(folder: Path) -> None:
    (folder / "images" / "1.png").unlink()
    with pytest.raises(UserError, match=r"cannot read .*1\.png"):
        set_hash(folder)


@pytest.mark.parametrize("text", ["what", "00  a.png\n", "\n"])
def test_checksums_that_are_none_are_refused(folder: Path, text: str) -> None:
    (folder / CHECKSUMS).write_text(text)
    with pytest.raises(UserError, match="line 1 is no checksum"):
        set_hash(folder)
