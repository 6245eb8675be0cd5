"""Tables as spreadsheets really save them: every encoding, separator and line end that was met."""

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions
from crystal_search.archives.image_table import open_csv
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError
from crystal_search.review.corrections import corrected_list, read_corrections
from crystal_search.spreadsheets import decoded, read_sheet, with_point

ROWS = [["file", "outcome", "note"], ["für/ä b.jpg", "clear", "a,b;c"], ["x.jpg", "crystal_bad_form", ""]]


def saved(delimiter: str, ends: str = "\r\n", before: str = "") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=ends).writerows(ROWS)
    return before + text.getvalue()


#: How programs save a table: what it is called there, and the bytes.
SAVED = {
    "ours": saved(",", "\n").encode(),
    "CSV UTF-8": saved(",").encode("utf-8-sig"),
    "CSV UTF-8, Germany": saved(";").encode("utf-8-sig"),
    "CSV": saved(",").encode("cp1252"),
    "CSV, Germany": saved(";").encode("cp1252"),
    "Unicode text": saved("\t").encode("utf-16"),
    "Unicode text, big-endian": b"\xfe\xff" + saved("\t").encode("utf-16-be"),
    "Unicode text without a mark": saved("\t").encode("utf-16-le"),
    "UTF-32": saved(",").encode("utf-32"),
    "with its separator": saved(";", before="sep=;\r\n").encode("utf-8-sig"),
    "with its separator, saved twice": saved(";", before='"sep=;";;\r\n').encode("cp1252"),
    "old Macintosh": saved(";", "\r").encode(),
    "empty lines and columns": saved(";").replace("\r\n", ";;\r\n").encode() + b";;;;\r\n  ;\r\n",
}


@pytest.fixture(params=SAVED)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(SAVED[request.param])
    return path


def test_every_one_is_read_alike(table: Path) -> None:
    with read_sheet(table) as sheet:
        rows = [sheet.header, *(cells for _, cells in sheet.lines)]
    assert [cells[:3] for cells in rows] == ROWS


def test_lines_are_numbered_as_the_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('sep=;\na;b\n1;"two\nlines"\n\n3;4\n')
    with read_sheet(path) as sheet:
        assert [number for number, _ in sheet.lines] == [4, 6]


def test_an_archive_is_read_from_every_one(table: Path, tmp_path: Path) -> None:
    (tmp_path / "für").mkdir()
    for name in ("für/ä b.jpg", "x.jpg"):
        (tmp_path / name).touch()
    images = list(open_csv(table, ArchiveOptions()).images())
    assert [(each.name, each.outcome) for each in images if isinstance(each, ArchiveImage)] == [
        ("für/ä b.jpg", "clear"),
        ("x.jpg", "crystal_bad_form"),
    ]


def test_corrections_are_put_into_every_one(table: Path, tmp_path: Path) -> None:
    fixes = tmp_path / "corrections.csv"
    fixes.write_bytes("image;well;old;new\r\nfür/ä b.jpg;;clear;spherulites\r\n".encode("cp1252"))
    lines = corrected_list(read_corrections(fixes), table, SCHEMES["outcomes-13"]).splitlines()
    delimiter = lines[0][4]
    changed = next(csv.reader([lines[1]], delimiter=delimiter))
    assert changed[:3] == ["für/ä b.jpg", "spherulites", "a,b;c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook; save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook; save it as CSV"),
        (b"\xff\xfea", "is no text in utf-16"),
        (b'a,b\n1,"no end\n', "is no table with commas, semicolons or tabs: unexpected end of data"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message), read_sheet(path) as sheet:
        list(sheet.lines)


def number_in(text: str, delimiter: str) -> float | None:
    with suppress(ValueError):
        return float(with_point(text, delimiter))
    return None


@given(st.integers(0, 10**9), st.integers(1, 6), st.sampled_from("-+ ").map(str.strip))
def test_a_number_with_a_decimal_comma_is_read_right_or_refused(digits: int, decimals: int, sign: str) -> None:
    pointed = f"{sign}{digits // 10**decimals}.{digits % 10**decimals:0{decimals}d}"
    comma = pointed.replace(".", ",")
    assert number_in(comma, ";") == float(pointed)
    assert number_in(comma, "\t") in (float(pointed), None)
    assert number_in(comma, ",") is None
    assert decimals == 3 or number_in(comma, "\t") is not None


@given(st.integers(1000, 10**12))
def test_thousands_between_tabs_are_never_read_as_another_number(number: int) -> None:
    assert number_in(f"{number:,}", "\t") is None
    assert number_in(str(number), "\t") == number


def test_names_of_another_encoding_in_a_table_of_ours_stay_what_they_are() -> None:
    text = "path\nfür.jpg\nältere.jpg\n\udcff.jpg\n"
    assert decoded(text.encode("utf-8", "surrogateescape")) == text
    assert decoded(b"f\xfcr \x81") == "für \x81"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_what_is_written_in_utf_8_is_read_back(text: str) -> None:
    assert decoded(("path\n" + text).encode()) == "path\n" + text


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "table.csv"
    path.write_bytes(content)
    with suppress(UserError), read_sheet(path) as sheet:
        assert all(any(cells) for _, cells in sheet.lines)
