"""Archives that are folders: classes by name, mates beside images, robots' names, and what is refused."""

from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import ARCHIVES, open_archive
from crystal_search.errors import UserError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")


def read(path: Path, **options: object) -> tuple[list[ArchiveImage], list[LeftOut]]:
    both = list(open_archive("folder", path, ArchiveOptions(**options)).images())  # type: ignore[arg-type]
    return [each for each in both if isinstance(each, ArchiveImage)], [e for e in both if isinstance(e, LeftOut)]


def test_each_image_has_the_class_of_its_folder(tmp_path: Path) -> None:
    put(tmp_path, "Spherulites/2020/b.jpg", "Spherulites/a.PNG", "21/c.tif", "No drop/d.jpg")
    images, left_out = read(tmp_path)
    assert [(each.name, each.outcome, each.well, each.plate, each.split) for each in images] == [
        ("21/c.tif", "crystal_overnucleated", "c", "", None),
        ("No drop/d.jpg", "no_drop", "d", "", None),
        ("Spherulites/a.PNG", "spherulites", "a", "", None),
        ("Spherulites/2020/b.jpg", "spherulites", "b", "", None),
    ]
    assert left_out == []
    assert images[0].content == tmp_path / "21/c.tif"


def test_mates_are_found_by_name_and_are_no_images(tmp_path: Path) -> None:
    put(tmp_path, "clear/a.jpg", "clear/a.uv.png", "clear/a.mask.png", "clear/a.outcomes.png", "clear/b.jpg")
    (with_mates, without), left_out = read(tmp_path)
    beside = tmp_path / "clear"
    assert (with_mates.uv, with_mates.drop_mask) == (beside / "a.uv.png", beside / "a.mask.png")
    assert with_mates.outcome_map == beside / "a.outcomes.png"
    assert (without.uv, without.drop_mask, without.outcome_map) == (None, None, None)
    assert left_out == []


def test_a_robots_names_tell_plate_and_drop_whatever_the_inspection(tmp_path: Path) -> None:
    put(tmp_path, "clear/90j8_2018-04-11_RI/90j8_02C_1.jpg", "23/90j8_2018-05-11_RI/90j8_02C_1.jpg", "23/odd.jpg")
    images, _ = read(tmp_path)
    assert [(each.plate, each.well) for each in images] == [("", "odd"), ("90j8", "90j8 C02.1"), ("90j8", "90j8 C02.1")]


def test_an_image_in_another_light_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "clear/X000005645200509052032jpg/a.jpg")
    plate = "X000005645"
    put(tmp_path, f"clear/{plate}201811272332.jpg/{plate}0003201811272332.jpg")
    put(tmp_path, f"clear/{plate}201811272332.uvt/{plate}0003201811272332.jpg")
    _, left_out = read(tmp_path)
    assert [(each.reason, each.detail) for each in left_out] == [("not taken in visible light", "uv")]


def test_what_is_no_image_is_left_out_and_what_is_hidden_is_passed_over(tmp_path: Path) -> None:
    put(
        tmp_path,
        "clear/notes.txt",
        "clear/.DS_Store",
        "clear/.thumbnails/a.jpg",
        ".cache/x.jpg",
        "loose.jpg",
        "clear/a.jpg",
    )
    images, left_out = read(tmp_path)
    assert [each.name for each in images] == ["clear/a.jpg"]
    assert left_out == [
        LeftOut("loose.jpg", "not in the folder of a class"),
        LeftOut("clear/notes.txt", "not the file of an image", ".txt"),
    ]


def test_another_scheme_and_chops(tmp_path: Path) -> None:
    put(tmp_path, "crystals/a.jpg", "rim/b.jpg")
    images, _ = read(tmp_path, scheme="groups-5", chops=True)
    assert [(each.outcome, each.is_chop) for each in images] == [("crystal_harvestable", True), ("rim", True)]


def test_images_come_in_the_same_order_again(tmp_path: Path) -> None:
    put(tmp_path, *(f"clear/{folder}/{number}.jpg" for folder in "ba" for number in (3, 1, 2)))
    archive = open_archive("folder", tmp_path)
    assert [each.name for each in archive.images()] == [each.name for each in archive.images()]
    assert archive.name == f"folder {tmp_path.name}"
    assert archive.scheme.name == "outcomes-13"


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["crystals/a.jpg"], {}, r"folder .*crystals: no class 'crystals' in the scheme outcomes-13.*groups-4 has it"),
        (["holiday/a.jpg"], {}, r"no class 'holiday' .*choose from crystal_harvestable,.*no_drop; rename it, or take"),
        (["rim/a.jpg"], {}, r"folder .*rim: no whole image shows a rim"),
        (["a.jpg"], {}, r"has no sub-folders, expected one for each class"),
        (["clear/a.jpg"], {"scheme": "groups-7"}, r"no class scheme 'groups-7'"),
    ],
)
def test_a_folder_that_is_no_archive_is_refused_in_words(
    tmp_path: Path, files: list[str], options: dict[str, object], message: str
) -> None:
    put(tmp_path, *files)
    with pytest.raises(UserError, match=message):
        read(tmp_path, **options)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"cannot read the folder /nowhere: No such file"):
        open_archive("folder", Path("/nowhere"))


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"no kind of archive 'zip'; choose from .*folder.*csv"):
        open_archive("zip", Path())
    assert "folder" in ARCHIVES
