"""Archives of images in which people drew drops and crystals, in every format of annotations."""

import json
from pathlib import Path

import pytest
from PIL import Image

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges
from crystal_search.annotations.annotation_format import WriteOptions
from crystal_search.annotations.converting import write_annotations
from crystal_search.archives.annotated_folder import KINDS
from crystal_search.archives.archive import ArchiveImage, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.datasets.dataset_command import kind_of
from crystal_search.errors import UserError

DROP = AnnotatedObject(label="Drop", shape=Boxed(Edges(0.0, 0.0, 4.0, 2.0)))
CRYSTAL = AnnotatedObject(label="crystal_bad_form", shape=Boxed(Edges(1.0, 3.0, 3.0, 5.0)))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder with two images of 4 rows and 6 columns."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("90j8_02C_1.png", "b.png"):
        Image.new("L", (6, 4)).save(folder / name)
    return folder


def archive(tmp_path: Path, pictures: Path, kind: str) -> Path:
    """Write annotations of both images, one without any, in a folder with the images below it."""
    drawn = [
        AnnotatedImage(name="90j8_02C_1.png", height_px=4, width_px=6, objects=(DROP, CRYSTAL)),
        AnnotatedImage(name="b.png", height_px=4, width_px=6),
    ]
    out = tmp_path / "archive"
    write_annotations(drawn, out, kind, WriteOptions())
    pictures.rename(out / "images")
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_tells_drops_and_crystals(kind: str, tmp_path: Path, pictures: Path) -> None:
    folder = archive(tmp_path, pictures, kind)
    first, second = open_archive(kind, folder).images()
    assert isinstance(first, ArchiveImage)
    assert isinstance(second, ArchiveImage)
    assert first.content == folder / "images" / "90j8_02C_1.png"
    assert (first.outcome, first.in_suspension, first.drop_mask is not None) == ("crystal_bad_form", True, True)
    (crystal,) = first.objects or ()
    assert (crystal.category, crystal.mask.sum(), crystal.box) == ("crystal_bad_form", 4, (1, 3, 3, 5))
    assert (second.outcome, second.objects, second.drop_mask) == ("clear", (), None)


def test_a_table_tells_what_the_image_shows(tmp_path: Path, pictures: Path) -> None:
    folder = archive(tmp_path, pictures, "labelme")
    for name in ("90j8_02C_1.png", "b.png"):
        (folder / "images" / name).rename(folder / name)
    (folder / "truth.csv").write_text("file,outcome\n90j8_02C_1.png,precipitate\n")
    (image,) = open_archive("labelme", folder).images()
    assert isinstance(image, ArchiveImage)
    assert (image.outcome, image.in_suspension, len(image.objects or ())) == ("precipitate", False, 1)


def test_what_cannot_be_used_is_left_out_or_told(tmp_path: Path) -> None:
    told = {"imageHeight": 4, "imageWidth": 6, "imagePath": "a.png"}
    shape = {"label": "dust", "points": [[0, 0], [1, 0], [1, 1]]}
    (tmp_path / "a.json").write_text(json.dumps(told | {"shapes": [shape]}))
    assert list(open_archive("labelme", tmp_path).images()) == [LeftOut("a.png", "the file is missing")]
    Image.new("L", (6, 4)).save(tmp_path / "a.png")
    (left,) = open_archive("labelme", tmp_path).images()
    assert isinstance(left, LeftOut)
    assert "the shapes are called dust" in left.detail
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: not JSON"):
        open_archive("labelme", tmp_path)


def test_of_several_people_what_most_drew_counts(tmp_path: Path, pictures: Path) -> None:
    people = ("ann", "bob", "cy")
    objects = [AnnotatedObject(label="crystal", shape=CRYSTAL.shape, annotator=each) for each in people[:2]]
    alone = AnnotatedObject(label="crystal", shape=DROP.shape, annotator="cy")
    drawn = AnnotatedImage(name="b.png", height_px=4, width_px=6, objects=(*objects, alone), annotators=people)
    out = pictures / "classifications.csv"
    write_annotations([drawn], out, "zooniverse", WriteOptions())
    assert kind_of(pictures) == "zooniverse"
    (image,) = open_archive("zooniverse", out).images()
    assert isinstance(image, ArchiveImage)
    (crystal,) = image.objects or ()
    assert crystal.box == (1, 3, 3, 5)
