"""Archives that are CSV tables: columns, mates, splits, the tables that rendering writes, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UserError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")


def read(folder: Path, table: str, **options: object) -> tuple[list[ArchiveImage], list[LeftOut]]:
    path = folder / "images.csv"
    path.write_bytes(table.encode())
    both = list(open_archive("csv", path, ArchiveOptions(**options)).images())  # type: ignore[arg-type]
    return [each for each in both if isinstance(each, ArchiveImage)], [e for e in both if isinstance(e, LeftOut)]


def test_a_table_lists_images_with_their_outcomes(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "deep/b.png", "c.jpg")
    table = "file,outcome,well,plate,split\na.jpg,clear,C07,P1,train\ndeep\\b.png,23,,P1,Val\nc.jpg,No drop,,,\n"
    images, left_out = read(tmp_path, table)
    assert [(each.name, each.outcome, each.well, each.plate, each.split) for each in images] == [
        ("a.jpg", "clear", "P1 C07", "P1", "train"),
        ("deep/b.png", "crystal_harvestable", "P1 b", "P1", "validation"),
        ("c.jpg", "no_drop", "c", "", None),
    ]
    assert images[1].content == tmp_path / "deep/b.png"
    assert left_out == []


@pytest.mark.parametrize(
    "table",
    ["file;outcome\r\na.jpg;clear\r\n", "\ufeffFile , Outcome\na.jpg, clear\n\n", "outcome\tx\tfile\nclear\t,;\ta.jpg"],
)
def test_tables_come_as_spreadsheets_save_them(tmp_path: Path, table: str) -> None:
    put(tmp_path, "a.jpg")
    images, _ = read(tmp_path, table)
    assert [(each.name, each.outcome) for each in images] == [("a.jpg", "clear")]


def test_mates_are_named_or_lie_beside(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "b.mask.png", "b.uv.jpg", "uv/a.jpg", "m.png", "o.png")
    table = "file,outcome,uv,mask,outcome_map\na.jpg,clear,uv/a.jpg,m.png,o.png\nb.jpg,clear,lost.jpg,,\n"
    (named, beside), left_out = read(tmp_path, table)
    assert (named.uv, named.drop_mask) == (tmp_path / "uv/a.jpg", tmp_path / "m.png")
    assert named.outcome_map == tmp_path / "o.png"
    assert (beside.uv, beside.drop_mask) == (None, tmp_path / "b.mask.png")
    assert left_out == [LeftOut("lost.jpg", "the file of a mate is missing", "line 3, column uv")]


def test_the_table_of_rendered_wells_is_read(tmp_path: Path) -> None:
    put(tmp_path, "100000.jpg", "100000.mask.png", "100000.outcomes.png", "100003.jpg", "demo_07C_1.jpg")
    table = "file,row,column,drop,outcome,score_number,group\n100000.jpg,,,1,phase_separation,31,other\n"
    images, _ = read(tmp_path, table + "100003.jpg,,,1,no_drop,,\ndemo_07C_1.jpg,C,7,1,clear,1,clear\n")
    assert [(each.outcome, each.well) for each in images] == [
        ("phase_separation", "100000"),
        ("no_drop", "100003"),
        ("clear", "C07.1"),
    ]
    assert images[0].drop_mask == tmp_path / "100000.mask.png"
    assert images[0].outcome_map == tmp_path / "100000.outcomes.png"


def test_a_robots_names_tell_plate_and_drop(tmp_path: Path) -> None:
    file = "90j8_2018-04-11_RI/90j8_02C_1.jpg"
    put(tmp_path, file)
    ((image,), _) = read(tmp_path, f"file,outcome\n{file},clear\n")
    assert (image.plate, image.well) == ("90j8", "90j8 C02.1")


def test_files_that_are_missing_or_listed_again_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    lines = ["a.jpg,clear", "./a.jpg,clear", "b.jpg,clear", "b.jpg,21", "lost.jpg,clear", f"{'x' * 300}.jpg,clear"]
    images, left_out = read(tmp_path, "file,outcome\n" + "\n".join(lines))
    assert [each.name for each in images] == ["a.jpg"]
    assert left_out == [
        LeftOut("a.jpg", "listed again with the same outcome", "line 3"),
        LeftOut("b.jpg", "listed with several outcomes", "line 4: clear"),
        LeftOut("b.jpg", "listed with several outcomes", "line 5: 21"),
        LeftOut("lost.jpg", "the file is missing", "line 6"),
        LeftOut(f"{'x' * 300}.jpg", "the file is missing", "line 7"),
    ]


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    images, _ = read(tmp_path, "Image,Score\na.jpg,12\n", columns={"file": "image", "outcome": "Score"})
    assert [each.outcome for each in images] == ["precipitate_bad"]


def test_chops_may_be_listed(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    images, _ = read(tmp_path, "file,outcome\na.jpg,rim\n", chops=True)
    assert [(each.outcome, each.is_chop) for each in images] == [("rim", True)]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("file,label\na.jpg,clear\n", {}, r"has no column outcome; it has file, label; .*--column outcome=NAME"),
        ("", {}, r"has no column file; it has none"),
        ("file,outcome\n", {}, r"lists no image"),
        ("file,outcome\na.jpg,clear\nb.jpg,holiday\n", {}, r"line 3: no class 'holiday'.*choose from"),
        ("file,outcome\na.jpg,rim\n", {}, r"line 2: no whole image shows a rim"),
        ("file,outcome\na.jpg\n", {}, r"line 2 has 1 cells, expected 2"),
        ("file,outcome\n,clear\n", {}, r"line 2 names no file"),
        ("file,outcome,split\na.jpg,clear,maybe\n", {}, r"line 2: no split 'maybe'; choose from train"),
        ("file,outcome\na.jpg,clear\n", {"columns": {"colour": "x"}}, r"no column colour is read; choose from file,"),
        ("file,outcome\na.jpg,clear\n", {"columns": {"uv": "mate"}}, r"has no column mate; it has file, outcome"),
        ("file,outcome\na.jpg,clear\n", {"scheme": "x"}, r"no class scheme 'x'"),
        (f'file,outcome\n"{"x" * 200_000}",clear\n', {}, r"is no table with commas.*field larger than"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, table: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, table, **options)


def test_tables_that_are_not_there_or_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*images.csv: No such file"):
        open_archive("csv", tmp_path / "images.csv")
    (tmp_path / "images.csv").write_bytes(b"\xff\xfefile,outcome\n\xe4.jpg,clear\n")
    with pytest.raises(UserError, match=r"is no text in utf-16.* \(truncated data\), as it says; save it again"):
        open_archive("csv", tmp_path / "images.csv")


@given(content=st.binary(max_size=60), head=st.sampled_from([b"", b"file,outcome\n", b"file,outcome\na.jpg,clear\n"]))
def test_whatever_a_table_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("table") / "images.csv"
    path.write_bytes(head + content)
    try:
        found = list(open_archive("csv", path).images())
    except UserError:
        return
    assert all(isinstance(each, LeftOut) for each in found)
