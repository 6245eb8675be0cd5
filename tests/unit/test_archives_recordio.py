"""Chops that im2rec packed: classes by number, names from the list beside, what is damaged or unknown."""

import struct
from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UserError


def packed(*labels: float, identifier: int = 0, data: bytes = b"JPEG") -> bytes:
    """Pack one chop as im2rec does."""
    if len(labels) == 1:
        record = struct.pack("<IfQQ", 0, labels[0], identifier, 0) + data
    else:
        record = struct.pack(f"<IfQQ{len(labels)}f", len(labels), 0, identifier, 0, *labels) + data
    return struct.pack("<II", 0xCED7230A, len(record)) + record + bytes(-len(record) % 4)


def read(path: Path, **options: str) -> tuple[list[ArchiveImage], list[LeftOut]]:
    both = list(open_archive("recordio", path, ArchiveOptions(**options)).images())  # type: ignore[arg-type]
    return [each for each in both if isinstance(each, ArchiveImage)], [e for e in both if isinstance(e, LeftOut)]


def test_numbers_become_the_classes_that_were_named(tmp_path: Path) -> None:
    path = tmp_path / "chops_train.rec"
    path.write_bytes(packed(2, identifier=7, data=b"one") + packed(0, identifier=8, data=b"two"))
    images, left_out = read(path, classes="clear, Spherulites,rim")
    assert [(each.name, each.content, each.outcome, each.split, each.is_chop) for each in images] == [
        ("chops_train/7", b"one", "rim", "train", True),
        ("chops_train/8", b"two", "clear", "train", True),
    ]
    assert [each.well for each in images] == ["chops_train/7", "chops_train/8"]
    assert left_out == []


def test_the_list_beside_tells_what_chops_were_called(tmp_path: Path) -> None:
    (tmp_path / "x.rec").write_bytes(packed(0, identifier=7) + packed(0, identifier=9))
    (tmp_path / "x.lst").write_text("7\t0.000000\tclear/90j8_2018-04-11_RI/90j8_02C_1.jpg\n8\t0.0\tclear\\b.jpg\n")
    images, _ = read(tmp_path / "x.rec", classes="clear")
    assert [(each.name, each.plate, each.well) for each in images] == [
        ("x/7 90j8_02C_1.jpg", "90j8", "90j8 C02.1"),
        ("x/9", "", "x/9"),
    ]


def test_where_all_identifiers_are_zero_records_are_told_by_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "train.rec"
    path.write_bytes(b"".join(packed(label, data=bytes([65 + at])) for at, label in enumerate((0, 1, 0))))
    images, left_out = read(path, classes="clear,crystal_harvestable")
    assert [each.name for each in images] == ["train/0", "train/1", "train/2"]
    assert len({each.well for each in images}) == 3
    assert left_out == []


def test_names_of_classes_may_come_from_a_file_and_another_scheme(tmp_path: Path) -> None:
    (tmp_path / "x.rec").write_bytes(packed(1))
    (tmp_path / "names.txt").write_text("crystals\nclear\n")
    images, _ = read(tmp_path / "x.rec", classes=str(tmp_path / "names.txt"), scheme="groups-4")
    assert [each.outcome for each in images] == ["clear"]


def test_a_chop_that_was_packed_again_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.rec").write_bytes(packed(0, identifier=1) + packed(0, identifier=1))
    images, left_out = read(tmp_path / "x.rec", classes="clear")
    assert len(images) == 1
    assert left_out == [LeftOut("x/1", "packed again", "record 1")]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (packed(0), {}, r"x.rec keeps numbers for classes, not names; say which they are.*--class-names NAME,NAME"),
        (packed(0), {"classes": "clear,holiday"}, r"no class 'holiday'"),
        (packed(2), {"classes": "clear,rim"}, r"record 0: the label is 2, expected a whole number below 2"),
        (packed(0.5), {"classes": "clear,rim"}, r"the label is 0.5, expected"),
        (packed(float("nan")), {"classes": "clear,rim"}, r"the label is nan, expected"),
        (packed(0, 1), {"classes": "clear,rim"}, r"the label is 0, 1, expected"),
        (packed(0)[:-8], {"classes": "clear"}, r"ends early"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    tmp_path: Path, content: bytes, options: dict[str, str], message: str
) -> None:
    (tmp_path / "x.rec").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "x.rec", **options)


def test_lists_and_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.rec").write_bytes(packed(0))
    (tmp_path / "x.lst").write_text("7\t0\ta.jpg\nseven\t0\tb.jpg\n")
    with pytest.raises(UserError, match=r"x.lst line 2 is not NUMBER<tab>LABEL<tab>PATH"):
        read(tmp_path / "x.rec", classes="clear")
    (tmp_path / "x.lst").write_bytes(b"7\t0\t\xff.jpg\n")
    with pytest.raises(UserError, match=r"cannot read .*x.lst"):
        read(tmp_path / "x.rec", classes="clear")
    (tmp_path / "names").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"cannot read the names of classes"):
        read(tmp_path / "x.rec", classes=str(tmp_path / "names"))
    with pytest.raises(UserError, match=r"there is no file .*y.rec"):
        read(tmp_path / "y.rec", classes="clear")
