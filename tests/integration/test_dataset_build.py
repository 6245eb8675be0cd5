"""Building datasets from small rendered-like archives, whole."""

import csv
import errno
import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageDraw

from crystal_search.archives.archive import Archive, ArchiveImage, LeftOut
from crystal_search.archives.image_places import Places
from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets import building, chopping
from crystal_search.datasets.building import DUPLICATE, Plan, build
from crystal_search.datasets.chop_recipe import Recipe
from crystal_search.datasets.dataset_command import shares_of
from crystal_search.datasets.dataset_report import Built
from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.datasets.packing_shards import ShardWriter
from crystal_search.datasets.training_part import open_to_train
from crystal_search.errors import UserError
from crystal_search.main import main
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.wells import SPLITS

WIDTH, HEIGHT = 1224, 640
DROP = (350, 40, 870, 600)  # left, top, right, bottom
CRYSTAL, CLEAR = "crystal_harvestable", "clear"


def jpeg(picture: Image.Image) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.asarray(picture.convert("RGB")), 90, "RGB", "420"))


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def well(outcome: str, seed: int) -> Image.Image:
    """A drop on a shaded plate that no other seed has; with squares in it, unless it is clear."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(120, 180, (20, 38)).astype(np.uint8))
    picture = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    draw.ellipse(DROP, outline=40, width=4)
    if outcome != CLEAR:
        for top in (150, 400):
            draw.rectangle((540, top, 620, top + 70), fill=30)
    return picture


def mask() -> Image.Image:
    picture = Image.new("L", (WIDTH // 4, HEIGHT // 4))
    ImageDraw.Draw(picture).ellipse([edge // 4 for edge in DROP], fill=255)
    return picture


def image(number: int, outcome: str, **more: Any) -> ArchiveImage:
    given = {"well": f"w{number}", "plate": "", "drop_mask": png(mask())} | more
    return ArchiveImage(name=f"{number}.jpg", content=jpeg(well(outcome, number)), outcome=outcome, **given)


def fake(items: list[ArchiveImage | LeftOut]) -> Archive:
    return Archive(name="fake", scheme=SCHEMES["outcomes-13"], images=lambda: iter(items))


@pytest.fixture(scope="module")
def images() -> list[ArchiveImage | LeftOut]:
    return [image(number, (CRYSTAL, CLEAR)[number % 2]) for number in range(12)]


def left_out(folder: Path) -> list[dict[str, str]]:
    with (folder / "left-out.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def built(items: list[ArchiveImage | LeftOut], out: Path, recipe: Recipe | None = None, **plan: Any) -> PackedDataset:
    build([fake(items)], out, recipe or Recipe(), Plan(**plan))
    return open_dataset(out)


@pytest.fixture(scope="module")
def dataset(images: list[ArchiveImage | LeftOut], tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("dataset")
    items: list[ArchiveImage | LeftOut] = [
        *images,
        replace(image(2, CRYSTAL), name="copy.jpg", well="another", outcome=CLEAR),
        replace(image(50, CRYSTAL), content=b"\xff\xd8\xffno image", name="broken.jpg"),
        replace(image(51, "no_drop"), drop_mask=None),
        LeftOut("notes.txt", "not the file of an image", ".txt"),
    ]
    return built(items, folder / "out")


def test_chops_have_their_size_place_and_outcome(dataset: PackedDataset) -> None:
    rows = [row for split in SPLITS for row in dataset.chops(split)]
    assert {row.outcome for row in rows} == {CRYSTAL, CLEAR, "rim"}
    assert len({row.key for row in rows}) == len(rows)
    for row in rows:
        number = int(row.image.removesuffix(".jpg"))
        view = np.asarray(well(CRYSTAL if number % 2 == 0 else CLEAR, number))
        chop = dataset.patch(row)[dataset.box(row).slices]
        assert chop.shape == (256, 256)
        assert np.abs(chop.astype(int) - view[row.top : row.top + 256, row.left : row.left + 256]).mean() < 3


def test_no_well_is_in_two_splits(dataset: PackedDataset) -> None:
    seen = [{row.well for row in dataset.chops(split)} | {row.well for row in dataset.wells(split)} for split in SPLITS]
    assert all(seen)
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_whole_images_and_masks_are_as_they_were(dataset: PackedDataset) -> None:
    rows = [row for split in SPLITS for row in dataset.wells(split)]
    assert len(rows) == 13  # an empty well needs no mask
    row = next(row for row in rows if row.image == "3.jpg")
    assert dataset.image(row) == jpeg(well(CLEAR, 3))
    stored = dataset.mask(row)
    assert stored is not None
    assert (np.asarray(Image.open(io.BytesIO(stored))) == (np.asarray(mask()) > 0)).all()


def test_empty_wells_are_there_to_train_drop_locators(images: list[ArchiveImage | LeftOut], tmp_path: Path) -> None:
    empty = [replace(image(60 + n, "no_drop", drop_mask=None), split="train") for n in range(2)]
    given = [replace(each, split=SPLITS[n % 3]) for n, each in enumerate(images) if isinstance(each, ArchiveImage)]
    made = built([*given, *empty], tmp_path / "out")
    assert [row.image for row in made.wells("train") if row.outcome == "no_drop"] == ["60.jpg", "61.jpg"]


def test_masks_of_ones_count_and_those_of_other_images_are_refused(
    images: list[ArchiveImage | LeftOut], tmp_path: Path
) -> None:
    ones, square = mask().point(lambda level: level // 255), mask().resize((256, 256))
    items = [
        replace(each, drop_mask=png(given)) if isinstance(each, ArchiveImage) and given else each
        for each, given in zip(images, [ones, square, *[None] * 10], strict=True)
    ]
    made = built(items, tmp_path / "out")
    rows = {row.image: row for split in SPLITS for row in made.wells(split)}
    assert np.asarray(Image.open(io.BytesIO(made.mask(rows["0.jpg"]) or b""))).any()
    assert any(row.image == "0.jpg" for split in SPLITS for row in made.chops(split))
    (refused,) = [row for row in left_out(made.folder) if row["what"] == "image"]
    assert (refused["name"], refused["reason"]) == ("1.jpg", chopping.BAD_MASK)
    assert "256 x 256 px, other proportions" in refused["detail"]


def test_what_was_left_out_is_listed_with_its_reason(dataset: PackedDataset) -> None:
    reasons = {
        (row["name"], row["reason"]): row["detail"] for row in left_out(dataset.folder) if row["what"] == "image"
    }
    assert "cannot be decoded" in reasons.pop(("broken.jpg", chopping.UNREADABLE))
    assert reasons == {
        ("copy.jpg", DUPLICATE): f"2.jpg, called {CRYSTAL}, not {CLEAR}",
        ("51.jpg", chopping.LABELLED_NO_DROP): "",
        ("notes.txt", "not the file of an image"): ".txt",
    }


def test_tables_say_where_in_the_tar_file_a_sample_lies(dataset: PackedDataset) -> None:
    for split in SPLITS:
        places: dict[tuple[str, str], tuple[int, int]] = {}
        for shard in {row.shard for row in dataset.chops(split)} | {row.shard for row in dataset.wells(split)}:
            with tarfile.open(dataset.folder / shard) as tar:
                places |= {(shard, member.name): (member.offset_data, member.size) for member in tar}
                assert all(member.mtime == 0 for member in tar)
        for chop in dataset.chops(split):
            assert places[chop.shard, f"{chop.key}.jpg"] == chop.part("jpg")
        for row in dataset.wells(split):
            assert places[row.shard, f"{row.key}.image"] == row.part("image")
            assert places.get((row.shard, f"{row.key}.mask.png")) == row.part("mask.png")


def test_webdataset_reads_the_shards(dataset: PackedDataset) -> None:
    import json

    from webdataset.tariterators import group_by_keys, tar_file_expander

    shard = dataset.chops("train")[0].shard
    with (dataset.folder / shard).open("rb") as stream:
        samples = list(group_by_keys(tar_file_expander([{"url": shard, "stream": stream}])))
    keys = [row.key for row in dataset.chops("train") if row.shard == shard]
    assert [sample["__key__"] for sample in samples] == keys
    row = json.loads(samples[0]["json"])
    assert (row["outcome"], row["chop_top"]) == (dataset.chops("train")[0].outcome, dataset.chops("train")[0].chop_top)


def test_the_report_needs_no_other_file_and_names_what_happened(dataset: PackedDataset) -> None:
    page = (dataset.folder / "report.html").read_text(encoding="utf-8")
    assert 'src="data:image/png' in page
    assert "http" not in page.replace("http-equiv", "")
    for text in ("Crystals, harvestable", DUPLICATE, chopping.UNREADABLE, "broken.jpg"):
        assert text in page
    with Image.open(dataset.folder / "contact-sheet.png") as sheet:
        assert sheet.height > 3 * 128


def test_the_number_of_workers_changes_nothing(
    images: list[ArchiveImage | LeftOut], dataset: PackedDataset, tmp_path: Path
) -> None:
    one, two = built(images, tmp_path / "one"), built(images, tmp_path / "two", workers=2)
    names = sorted(path.name for path in one.folder.iterdir())
    assert names == sorted(path.name for path in two.folder.iterdir())
    assert all((one.folder / name).read_bytes() == (two.folder / name).read_bytes() for name in names)


def test_a_map_of_outcomes_decides_what_a_chop_shows(tmp_path: Path, images: list[ArchiveImage | LeftOut]) -> None:
    shown = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(shown)
    draw.ellipse(DROP, fill=OUTCOME_NAMES.index(CLEAR))
    draw.rectangle((540, 150, 620, 220), fill=OUTCOME_NAMES.index(CRYSTAL))
    items: list[ArchiveImage | LeftOut] = [
        replace(each, outcome_map=png(shown)) if isinstance(each, ArchiveImage) and each.outcome == CRYSTAL else each
        for each in images
    ]
    made = built(items, tmp_path / "out")
    rows = [row for split in SPLITS for row in made.chops(split) if row.image == "0.jpg"]
    assert {row.outcome for row in rows if row.top + 48 <= 150 and row.top + 208 >= 220} >= {CRYSTAL}
    assert {row.outcome for row in rows if row.top > 300} == {CLEAR}


def test_chops_that_were_cut_already_are_taken_as_they_are(tmp_path: Path) -> None:
    items: list[ArchiveImage | LeftOut] = [
        replace(
            image(number, ("rim", CRYSTAL)[number % 2]),
            content=jpeg(well(CRYSTAL, number).crop((400, 100, 700, 400))),
            drop_mask=None,
            is_chop=True,
        )
        for number in range(10)
    ]
    made = built(items, tmp_path / "out")
    rows = [row for split in SPLITS for row in made.chops(split)]
    assert len(rows) == 10
    assert {made.patch(row).shape for row in rows} == {(256, 256)}
    assert not any(made.wells(split) for split in SPLITS)


def test_colours_are_kept_where_asked_for(images: list[ArchiveImage | LeftOut], tmp_path: Path) -> None:
    made = built(images, tmp_path / "out", Recipe(in_colour=True))
    assert made.about.normalisation == "rgb-1"
    assert made.patch(made.chops("train")[0]).shape[2] == 3


def test_a_uv_image_without_contours_loses_a_crystal_only_if_asked(
    images: list[ArchiveImage | LeftOut], tmp_path: Path
) -> None:
    dark = jpeg(Image.new("L", (WIDTH, HEIGHT), 20))
    items: list[ArchiveImage | LeftOut] = [
        replace(each, uv=dark) if isinstance(each, ArchiveImage) and each.name == "0.jpg" else each for each in images
    ]
    with_crystals = {}
    for how in ("prefer", "ignore"):
        made = built(items, tmp_path / how, Recipe(uv=how))
        with_crystals[how] = {row.image for split in SPLITS for row in made.chops(split) if row.outcome == CRYSTAL}
    assert with_crystals["ignore"] - with_crystals["prefer"] == {"0.jpg"}
    with pytest.raises(UserError, match=r"nothing is left|one class"):
        built(items, tmp_path / "require", Recipe(uv="require"))


def test_names_stay_apart_in_several_archives(images: list[ArchiveImage | LeftOut], tmp_path: Path) -> None:
    others = [image(number + 100, (CRYSTAL, CLEAR)[number % 2]) for number in range(4)]
    build(
        [fake(images), fake([replace(each, name=f"{k}.jpg") for k, each in enumerate(others)])],
        tmp_path / "out",
        Recipe(),
        Plan(),
    )
    names = {row.image for split in SPLITS for row in open_dataset(tmp_path / "out").wells(split)}
    assert {"fake-1/0.jpg", "fake-2/0.jpg"} <= names


def later(number: int, outcome: str, visit: int) -> ArchiveImage:
    """The same drop at another inspection: moved a little, and brighter."""
    moved = (4 * visit, 8 * visit)
    pixels = np.roll(np.asarray(well(outcome, number)), moved, (0, 1)).astype(int) + 4 * visit
    drop = np.roll(np.asarray(mask()), (visit, 2 * visit), (0, 1))  # drawn at a quarter of the size
    content = jpeg(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    name = f"{number}-{visit}"
    known = image(number, outcome, well=name, drop_mask=None, is_drop_known=False)
    return replace(known, name=f"{name}.jpg", content=content, drop_mask=png(Image.fromarray(drop)))


def test_images_that_tell_no_drop_stay_together_where_they_look_alike(tmp_path: Path) -> None:
    items = [later(number, (CRYSTAL, CLEAR)[number % 2], visit) for number in range(10) for visit in range(3)]
    dataset = built([*items, image(99, CRYSTAL)], tmp_path / "out")
    splits: dict[str, set[str]] = {}
    for split in SPLITS:
        for row in dataset.chops(split):
            splits.setdefault(row.image.partition("-")[0], set()).add(split)
    assert len(splits) == 11
    assert all(len(each) == 1 for each in splits.values())
    assert {split for each in splits.values() for split in each} == set(SPLITS)
    told = " ".join((tmp_path / "out" / "report.html").read_text().split())
    assert "of 30 images neither name nor table tells which drop they show</strong>, such as 0-0.jpg" in told


def test_where_every_drop_is_known_the_report_says_nothing_of_the_kind(dataset: PackedDataset) -> None:
    assert "neither name nor table" not in (dataset.folder / "report.html").read_text()


def test_the_command_says_how_many_names_told_no_drop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(8):
        outcome = (CRYSTAL, CLEAR)[number % 2]
        folder = tmp_path / "images" / outcome
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"IMG_{number:04d}.jpg").write_bytes(jpeg(well(outcome, number)))
        (folder / f"IMG_{number:04d}.mask.png").write_bytes(png(mask()))
    words = ["dataset", "build", str(tmp_path / "images"), "--from", "folder", "--out", str(tmp_path / "out")]
    assert main([*words, "--workers", "1"]) == 0
    told = capsys.readouterr().out
    assert f"8 images do not tell which drop they show, such as {CLEAR}/IMG_0001.jpg: what looks alike" in told


def test_the_same_drop_in_folders_of_classes_is_in_one_split(tmp_path: Path) -> None:
    """Names as RM_Image_export gives them, and names of nobody's convention with a well in them."""
    for name in ("03c3_{well}_ImagerDefaults_6_{at}.jpg", "lysozyme-{well}-day{at}.jpg"):
        paths = [
            f"{(CRYSTAL, CLEAR)[at % 2]}/{name.format(well=drop, at=at)}"
            for drop in ("A1", "B2", "C3")
            for at in range(4)
        ]
        places = Places(paths)
        assert len({places.of(path).well for path in paths}) == 3


def nothing_left(tmp_path: Path) -> bool:
    return not any(tmp_path.iterdir())


def test_an_archive_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no image could be used; 1 times not the file of an image, first a\.txt; see"):
        built([LeftOut("a.txt", "not the file of an image")], tmp_path / "out")
    assert nothing_left(tmp_path)


def test_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one class, crystal_harvestable; .*: add images of other outcomes"):
        built([image(number, CRYSTAL) for number in range(6)], tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_split_without_chops_is_refused(tmp_path: Path) -> None:
    items: list[ArchiveImage | LeftOut] = [
        image(0, CRYSTAL, split="train"),
        image(1, CLEAR, split="train"),
        image(2, CLEAR, split="validation"),
        image(3, "no_drop", split="test"),
    ]
    with pytest.raises(UserError, match="nothing is left for test, of 1 images"):
        built(items, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_dataset_may_have_validation_images_alone_and_is_not_trained_on(
    images: list[ArchiveImage | LeftOut], tmp_path: Path
) -> None:
    dataset = built(images, tmp_path / "out", shares={"train": 0.0, "validation": 1.0, "test": 0.0})
    assert {shard.split for shard in dataset.about.shards} == {"validation"}
    assert len(dataset.wells("validation")) == len(images)
    with pytest.raises(UserError, match="has nothing to train on, only validation; name a dataset with a part"):
        open_to_train(dataset.folder)


@pytest.mark.parametrize("text", ["0/0/0", "80/-10/10", "80/10", "a/b/c", "nan/1/1", "inf/1/1"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="three numbers from 0 on, not all 0"):
        shares_of(text)


def shrinking(items: list[ArchiveImage | LeftOut]) -> Archive:
    """Return an archive that has lost its last image when it is read again."""

    def images() -> Iterator[ArchiveImage | LeftOut]:
        yield from items
        del items[-1:]

    return replace(fake([]), images=images)


def test_images_that_go_away_meanwhile_are_missed(images: list[ArchiveImage | LeftOut], tmp_path: Path) -> None:
    given = [replace(each, split=SPLITS[n % 3]) for n, each in enumerate(images) if isinstance(each, ArchiveImage)]
    with pytest.raises(UserError, match=r"11\.jpg went away while the dataset was built"):
        build([shrinking(list(given))], tmp_path / "out", Recipe(), Plan())
    assert nothing_left(tmp_path)


def test_what_is_there_is_not_overwritten(images: list[ArchiveImage | LeftOut], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("kept")
    with pytest.raises(UserError, match="there already"):
        built(images, tmp_path / "out")
    assert (tmp_path / "out" / "kept").read_text() == "kept"


def test_a_full_disk_leaves_nothing_behind(
    images: list[ArchiveImage | LeftOut], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Built:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ShardWriter, "write", full)
    with pytest.raises(UserError, match=r"disk of .*out is full"):
        built(images, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_another_fault_leaves_nothing_behind(
    images: list[ArchiveImage | LeftOut], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "write_table", stopped)
    with pytest.raises(KeyboardInterrupt):
        built(images, tmp_path / "out")
    assert nothing_left(tmp_path)


def test_the_command_builds_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["file,outcome"]
    for number in range(8):
        outcome = (CRYSTAL, CLEAR)[number % 2]
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(well(outcome, number)))
        (tmp_path / f"{number}.mask.png").write_bytes(png(mask()))
        lines.append(f"{number}.jpg,{outcome}")
    (tmp_path / "truth.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    assert main(["dataset", "build", str(tmp_path / "truth.csv"), "--out", str(out), "--workers", "1"]) == 0
    assert main(["dataset", "show", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.count("crystal_harvestable") == 4
    left_out = Counter(line.split(",")[0] for line in (out / "left-out.csv").read_text().splitlines())
    assert f"left out: {left_out['image']} images, {left_out['chop']} chops; {out}/left-out.csv says why" in said
    assert f"look at {out}/report.html and {out}/contact-sheet.png" in said
    assert main(["dataset", "build", str(tmp_path / "truth.csv"), "--out", str(out), "--workers", "1"]) == 2
    assert "there already" in capsys.readouterr().err
