"""The VMXi data set: columns called in many ways, labels that decide the scheme, files found by name."""

from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UserError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")


def read(path: Path, **options: object) -> tuple[list[ArchiveImage], list[LeftOut]]:
    both = list(open_archive("vmxi", path, ArchiveOptions(**options)).images())  # type: ignore[arg-type]
    return [each for each in both if isinstance(each, ArchiveImage)], [e for e in both if isinstance(e, LeftOut)]


@pytest.mark.parametrize(
    ("table", "outcomes"),
    [
        ("filename,label\na.jpg,3D Crystals\nb.jpg,Heavy Precipitate\n", ["crystal_harvestable", "precipitate_bad"]),
        ("image_path,score\na.jpg,9\nb.jpg,3\n", ["crystal_harvestable", "precipitate_bad"]),
        (",name,class\n0,a.jpg,contaminated\n1,b.jpg,1d_crystals\n", ["other", "crystal_bad_form"]),
        ("picture,what\na.jpg,Microcrystals\nb.jpg,clear\n", ["crystal_overnucleated", "clear"]),
        ("file;category\na.jpg;crystals\nb.jpg;other\n", ["crystal_harvestable", "other"]),
    ],
)
def test_columns_are_found_by_name_or_place(tmp_path: Path, table: str, outcomes: list[str]) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "labels.csv").write_text(table)
    images, left_out = read(tmp_path)
    assert [each.name for each in images] == ["a.jpg", "b.jpg"]
    assert [each.outcome for each in images] == outcomes
    assert left_out == []


@pytest.mark.parametrize(
    ("labels", "scheme"), [(("clear", "9"), "vmxi-10"), (("Clear", "Crystals"), "groups-4"), (("7", "8"), "vmxi-10")]
)
def test_the_labels_decide_the_scheme(tmp_path: Path, labels: tuple[str, str], scheme: str) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "labels.csv").write_text(f"filename,label\na.jpg,{labels[0]}\nb.jpg,{labels[1]}\n")
    assert open_archive("vmxi", tmp_path).scheme.name == scheme


def test_images_are_found_wherever_they_were_unpacked(tmp_path: Path) -> None:
    put(tmp_path, "images/a.jpg", "images/deep/b.jpg", "tables/c.jpg", "1/d.jpg", "2/d.jpg", "images/never.jpg")
    (tmp_path / "tables/labels.csv").write_text(
        "filename,label\nimages/a.jpg,9\n/dls/i02-2/b.jpg,0\nc.jpg,0\nd.jpg,0\nlost.jpg,0\n../../x.jpg,0\n"
    )
    images, left_out = read(tmp_path)
    assert [each.name for each in images] == ["images/a.jpg", "images/deep/b.jpg", "tables/c.jpg"]
    assert images[1].content == tmp_path / "images/deep/b.jpg"
    assert [(each.name, each.reason) for each in left_out] == [
        ("d.jpg", "several files have this name"),
        ("lost.jpg", "the file is missing"),
        ("../../x.jpg", "the file is missing"),
        ("1/d.jpg", "listed in no table"),
        ("2/d.jpg", "listed in no table"),
        ("images/never.jpg", "listed in no table"),
    ]


def test_splits_come_from_a_column_or_the_names_of_tables(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (tmp_path / "1_train_labels.csv").write_text("filename,label\na.jpg,9\n")
    (tmp_path / "2_test.csv").write_text("filename,label\nb.jpg,0\n")
    (tmp_path / "3.csv").write_text("filename,label,is_valid\nc.jpg,0,True\nd.jpg,0,False\n")
    images, _ = read(tmp_path)
    assert [(each.name, each.split) for each in images] == [
        ("a.jpg", "train"),
        ("b.jpg", "test"),
        ("c.jpg", "validation"),
        ("d.jpg", "train"),
    ]


def test_what_is_listed_again_or_otherwise_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "images/a.jpg", "images/b.jpg")
    (tmp_path / "x.csv").write_text("filename,label\nimages/a.jpg,9\na.jpg,9\nb.jpg,8\nb.jpg,2\n")
    images, left_out = read(tmp_path)
    assert [each.name for each in images] == ["images/a.jpg"]
    assert left_out == [
        LeftOut("images/a.jpg", "listed again with the same outcome", "x.csv line 3"),
        LeftOut("images/b.jpg", "listed with several outcomes", "x.csv line 4"),
        LeftOut("images/b.jpg", "listed with several outcomes", "x.csv line 5"),
    ]


def test_one_of_several_tables_may_be_named(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "ten.csv").write_text("filename,label\na.jpg,9\n")
    (tmp_path / "four.csv").write_text("filename,label\na.jpg,crystals\n")
    with pytest.raises(UserError, match=r"four.csv, ten.csv are of neither vmxi-10 nor groups-4: 'crystals'; name one"):
        read(tmp_path)
    for named in (Path("four.csv"), tmp_path / "four.csv"):
        assert open_archive("vmxi", tmp_path, ArchiveOptions(csv=named)).scheme.name == "groups-4"
    assert [each.outcome for each in read(tmp_path / "ten.csv")[0]] == ["crystal_harvestable"]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("filename,label\na.jpg,1\n", {}, r"the labels 1 alone may be numbers of four classes or scores of ten"),
        ("filename,label\na.jpg,holiday\n", {}, r"neither vmxi-10 nor groups-4: 'holiday'"),
        ("filename,label\na.jpg,holiday\n", {"scheme": "vmxi-10"}, r"line 2: no class 'holiday'"),
        ("filename,label,split\na.jpg,9,maybe\n", {}, r"line 2: no split 'maybe'"),
        ("filename,label,is_valid\na.jpg,9,maybe\n", {}, r"line 2: is_valid is 'maybe', expected True or False"),
        ("filename,colour,size\na.jpg,9,1\n", {}, r"has no column outcome or label.*it has filename, colour, size"),
        ("a.jpg,clear\nb.jpg,9\n", {}, r"begins with an image, expected a line with names of columns"),
        ("filename,label\n", {}, r"no image is listed"),
        ("filename,label\na.jpg,9\n", {"columns": {"mask": "x"}}, r"no column mask is read"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, table: str, options: dict[str, object], message: str
) -> None:
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        read(tmp_path, **options)


def test_scores_up_to_3_are_read_when_somebody_says_what_they_are(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "x.csv").write_text("filename,label\na.jpg,2\n")
    assert [each.outcome for each in read(tmp_path, scheme="vmxi-10")[0]] == ["precipitate_good"]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no table NAME.csv.*read it as a folder in the scheme vmxi-10"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"there is no file or folder"):
        read(tmp_path / "nowhere")
