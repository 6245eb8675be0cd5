"""Best chops of scores as boxes: which count, what they are called, where they come from."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges
from crystal_search.annotations.annotation_format import WriteOptions
from crystal_search.annotations.best_chops import BY_GROUP, Choice, boxes_of, gathered, in_ledger
from crystal_search.annotations.converting import write_annotations
from crystal_search.archives.archive import ArchiveOptions
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.geometry import Box
from crystal_search.main import main
from crystal_search.result import BestChop, ImageScore, RankedScore
from tests.integration.imaging_nouns import auto, key, manual, new_image
from tests.memory_imaging import MemoryImaging

HIGH = BestChop(box=Box(10, 20, 266, 276), outcome="crystal_harvestable", probability=0.95)
LOW = BestChop(box=Box(300, 20, 556, 276), outcome="crystal_bad_form", probability=0.6)


def decode(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def score(*chops: BestChop, above: bool = True) -> ImageScore:
    ranked = RankedScore(outcome=chops[0].outcome, probability=chops[0].probability, above_threshold=above)
    return ImageScore(height_px=600, width_px=800, score=ranked, best_chops=chops)


def labels(found: ImageScore, choice: Choice) -> list[str]:
    return [each.label for each in boxes_of(found, choice)]


def test_boxes_are_the_chops_in_pixels_as_stored() -> None:
    (first, second) = boxes_of(score(HIGH, LOW), Choice())
    assert first == AnnotatedObject(
        label="crystal_harvestable", shape=Boxed(Edges(10.0, 20.0, 266.0, 276.0)), probability=0.95
    )
    assert second.label == "crystal_bad_form"


def test_what_counts_and_what_it_is_called() -> None:
    assert labels(score(HIGH, LOW), Choice(classes=BY_GROUP)) == ["crystal", "crystal"]
    assert labels(score(HIGH, LOW, above=False), Choice()) == []
    assert labels(score(HIGH, LOW, above=False), Choice(least=0.5)) == ["crystal_harvestable", "crystal_bad_form"]
    assert labels(score(HIGH, LOW), Choice(least=0.9)) == ["crystal_harvestable"]


def test_images_are_named_from_the_folder_of_all_and_the_others_are_counted() -> None:
    broken = ImageScore(height_px=0, width_px=0, error="cut off")
    found = gathered(
        [
            (Path("/photos/P1/a.jpg"), score(HIGH)),
            (Path("/photos/P2/a.jpg"), score(HIGH)),
            (Path("/elsewhere/b.jpg"), broken),
            (Path("/elsewhere/c.jpg"), score(LOW, above=False)),
            (Path("/elsewhere/d.jpg"), "the file is missing"),
        ],
        Choice(),
    )
    assert [each.name for each in found.images] == ["P1/a.jpg", "P2/a.jpg"]
    assert found.folder == Path("/photos")
    assert found.left_out == {"cannot be read": 1, "no chop is probable enough": 1, "the file is missing": 1}


@pytest.fixture
def imaging() -> Iterator[MemoryImaging]:
    with closing(MemoryImaging()) as imaging:
        yield imaging


def test_an_installation_tells_by_classifier_and_opinion(imaging: MemoryImaging, tmp_path: Path) -> None:
    imaging.add_images([new_image(key(row=row), path=str(tmp_path / f"{row}.png")) for row in range(3)])
    images = sorted(imaging.plate_images("P1"), key=lambda image: image.path)
    for image in images[:2]:
        Path(image.path).touch()
    imaging.add_auto_scores([replace(auto(each), found=score(HIGH)) for each in images])
    imaging.add_manual_score(manual(images[0], "Ann", outcome="crystal_bad_form"))
    imaging.add_manual_score(manual(images[1], "Ann", outcome="clear"))

    def taken(**options: str) -> list[str]:
        return [path.name for path, found in in_ledger(imaging, **options) if not isinstance(found, str)]

    reasons = [found for _, found in in_ledger(imaging) if isinstance(found, str)]
    assert (taken(), reasons) == (["0.png", "1.png"], ["the file is missing"])
    assert taken(opinion="agree") == ["0.png"]
    assert taken(opinion="none") == []
    name = imaging.recipes()[0].model("classifier").name
    assert taken(classifier=name) == ["0.png", "1.png"]
    for nobody in ("nobody", ""):
        with pytest.raises(UnknownNameError, match=f"no classifier '{nobody}' that made scores; choose from {name}"):
            taken(classifier=nobody)


def test_cut_outs_are_the_pixels_of_boxes_and_an_archive_of_chops(tmp_path: Path) -> None:
    pixels = np.arange(200 * 300, dtype=np.uint32).reshape(200, 300).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    objects = (
        AnnotatedObject(label="clear", shape=Boxed(Edges(10.5, 20.0, 30.0, 60.0))),
        AnnotatedObject(label="clear", shape=Boxed(Edges(-500.0, 0.0, -400.0, 10.0))),
        AnnotatedObject(label="crystal_harvestable", shape=Boxed(Edges(150.0, 250.0, 406.0, 506.0))),
    )
    drawn = [AnnotatedImage(name="a.png", height_px=200, width_px=300, objects=objects)]
    out = tmp_path / "chops"
    done = write_annotations(drawn, out, "cut-outs", WriteOptions(images=tmp_path))
    assert done.lost == ["3 boxes: where they lie is not kept", "1 corners within pixels: widened to whole pixels"]
    (clear,) = (out / "clear").iterdir()
    np.testing.assert_array_equal(decode(clear), pixels[10:30, 20:60])
    (crystal,) = (out / "crystal_harvestable").iterdir()
    assert decode(crystal).shape == (50, 50)
    found = list(open_archive("folder", out, ArchiveOptions(chops=True)).images())
    assert len(found) == 2
    with pytest.raises(UserError, match=r"the image a\.png is not in .*nothing"):
        write_annotations(drawn, tmp_path / "more", "cut-outs", WriteOptions(images=tmp_path / "nothing"))
    bad = [replace(drawn[0], objects=(replace(objects[0], label="a/../b"),))]
    with pytest.raises(UserError, match="a class becomes the name of a folder"):
        write_annotations(bad, tmp_path / "more", "cut-outs", WriteOptions(images=tmp_path))
    other = [replace(drawn[0], height_px=100, width_px=150)]
    with pytest.raises(UserError, match=r"a\.png has 200 x 300 px \(height, width\), its annotation 100 x 150"):
        write_annotations(other, tmp_path / "more", "cut-outs", WriteOptions(images=tmp_path))
    assert not (tmp_path / "more").exists()


def test_neither_images_nor_an_installation_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotations", "from-scores", "--out", str(tmp_path / "out.json")]) == 2
    assert "name images to score, or an installation by --home" in capsys.readouterr().err
