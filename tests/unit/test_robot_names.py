"""Names of robots: what they say, what is refused, and that writing and reading go round."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crystal_search.errors import UserError
from crystal_search.robot_names import (
    CONVENTIONS,
    PLATE_FORMATS,
    Naming,
    ReadName,
    Refused,
    detected,
    moment,
    read_name,
    row_of,
    well_of,
)
from crystal_search.wells import CHANNELS, WellKey

RIGAKU = Naming(convention="rigaku")
FORMULATRIX = Naming(convention="formulatrix")
XCHEM = Naming(convention="xchem")
HWI = Naming(convention="hwi")

rows, columns, drops = st.integers(0, 31), st.integers(0, 47), st.integers(1, 9)
days = st.dates(datetime(2000, 1, 1).date(), datetime(2060, 1, 1).date())
barcodes = st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True)


def midnight(day: object) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


def own(pattern: str, **fields: str) -> Naming:
    return Naming(convention="pattern", pattern=pattern, **fields)  # type: ignore[arg-type]


@given(barcode=barcodes, inspection=st.integers(1, 999), day=days, row=rows, column=columns, drop=drops)
def test_rigaku_goes_round(*, barcode: str, inspection: int, day: object, row: int, column: int, drop: int) -> None:
    date = str(day).replace("-", "")[2:]
    name = f"RMM3_01_222_A_B_C_CI_0000{barcode}_{inspection:03}_{date}_{column + 1:02}_{row + 1:02}_{drop:02}"
    assert read_name(f"/images/{barcode}/{inspection}/{name}_HF_99_030_001_RDI.jpg", RIGAKU) == ReadName(
        plate=barcode, row=row, column=column, drop=drop, inspection=inspection, imaged_at=midnight(day)
    )


@given(
    plate=st.integers(1, 10**9),
    batch=st.integers(1, 10**9),
    wells=st.sampled_from(sorted(PLATE_FORMATS)),
    share=st.floats(0, 0.999),
    drop=drops,
)
def test_formulatrix_goes_round(plate: int, batch: int, wells: int, share: float, drop: int) -> None:
    well = 1 + int(share * wells)
    path = f"/W/{plate % 1000}/plateID_{plate}/batchID_{batch}/wellNum_{well}/profileID_1/d{drop}_r42_ef.jpg"
    name = read_name(path, replace(FORMULATRIX, plate_format=wells))
    assert isinstance(name, ReadName)
    assert (name.plate, name.drop, int(name.session), name.inspection) == (str(plate), drop, batch, None)
    assert name.row * PLATE_FORMATS[wells][1] + name.column + 1 == well
    assert name.row < PLATE_FORMATS[wells][0]


@given(barcode=barcodes, day=days, row=rows, column=columns, drop=drops)
def test_xchem_goes_round(barcode: str, day: object, row: int, column: int, drop: int) -> None:
    letters = re.sub("[0-9]", "", WellKey(plate="", row=row, column=0).well)
    folder = f"{barcode}_{day}_RI1000-0081-2drop"
    path = f"/SubwellImages/{folder}/{barcode}_{column + 1:02}{letters}_{drop}.jpg"
    assert read_name(path, XCHEM) == ReadName(
        plate=barcode, row=row, column=column, drop=drop, session=folder, imaged_at=midnight(day)
    )


@given(
    barcode=st.from_regex(r"[A-Z][0-9]{9}", fullmatch=True),
    day=days,
    well=st.integers(1, 1536),
    kind=st.sampled_from([("jpg", "visible"), ("uvt", "uv"), ("shg", "shg")]),
)
def test_hwi_goes_round(barcode: str, day: object, well: int, kind: tuple[str, str]) -> None:
    when = str(day).replace("-", "") + "1130"
    name = read_name(f"/hwi/{barcode}{when}{kind[0]}/{barcode}{well:04}{when}.jpg", HWI)
    assert name == ReadName(
        plate=barcode,
        row=(well - 1) // 48,
        column=(well - 1) % 48,
        channel=kind[1],
        session=when,
        imaged_at=midnight(day).replace(hour=11, minute=30),
    )


@given(
    plate=barcodes,
    row=rows,
    column=columns,
    drop=drops,
    inspection=st.integers(1, 99),
    channel=st.sampled_from(CHANNELS),
    day=days,
)
def test_a_pattern_of_ones_own_goes_round(
    *, plate: str, row: int, column: int, drop: int, inspection: int, channel: str, day: object
) -> None:
    naming = own(
        r"(?P<plate>[^/]+)/(?P<date>[0-9-]+)/(?P<inspection>\d+) (?P<channel>[a-z-]+)/"
        r"(?P<row>\d+)x(?P<column>\d+)x(?P<drop>\d+)\.png"
    )
    path = f"/any/where/{plate}/{day}/{inspection} {channel}/{row + 1}x{column + 1}x{drop}.png"
    assert read_name(path, naming) == ReadName(
        plate=plate,
        row=row,
        column=column,
        drop=drop,
        channel=channel,
        inspection=inspection,
        imaged_at=midnight(day),
    )


def test_one_profile_of_formulatrix_can_be_asked_for() -> None:
    path = "/p/plateID_1/batchID_2/wellNum_1/profileID_{}/d1_r1_ef.jpg"
    one = replace(FORMULATRIX, profile=12)
    assert read_name(path.format(1), one) == Refused("of profile 1, not 12")
    assert isinstance(read_name(path.format(12), one), ReadName)
    assert isinstance(read_name(path.format(1), FORMULATRIX), ReadName)


def test_a_pattern_without_a_slash_reads_the_whole_file_name() -> None:
    naming = own(r"(?P<row>[A-Z]+)(?P<column>[0-9]+)\.jpg", plate="Mine")
    assert read_name("/x/AF48.jpg", naming) == ReadName(plate="Mine", row=31, column=47, inspection=1)
    assert read_name("/x/notAF48.jpg", naming) == Refused("does not match the pattern")
    assert read_name("/AF48.jpg/x.jpg", naming) == Refused("does not match the pattern")


def test_a_pattern_with_a_date_and_no_inspection_tells_a_session() -> None:
    naming = own(r"(?P<plate>\w+?)_(?P<date>\d+)_(?P<row>[A-H])(?P<column>\d+)\.jpg")
    name = read_name("/x/P1_202601311530_C7.jpg", naming)
    assert isinstance(name, ReadName)
    assert (name.inspection, name.session) == (None, "2026-01-31T15:30:00+00:00")
    assert read_name("/x/P1_20261331_C7.jpg", naming) == Refused(
        "'20261331' is no date; write yyyymmdd, with HHMM where there is a time"
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<row>[A-H]", "no regular expression"),
        ("(?P<row>[A-H])(?P<column>[0-9]{99999999999})", "no regular expression"),
        (r"(?P<row>[A-H])(?P<col>\d+)", "names the group col; choose from plate, row, column, drop"),
        (r"(?P<row>[A-H])", "lacks .*column"),
        (r"[A-H]\d+", "lacks .*row"),
        (r"(?P<row>[A-H])(?P<column>\d+)", "give its barcode with --plate"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_what_is_wrong(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        own(pattern)


@pytest.mark.parametrize(
    ("path", "naming", "reason"),
    [
        ("/x/a_b_c_d_e_f_g_0000P1_003_121321_01_01_01_x.jpg", RIGAKU, "121321 is no date"),
        ("/x/a_b_c_d_e_f_g_0000P1_003_121121_00_01_01_x.jpg", RIGAKU, "column 0 is on no plate"),
        ("/x/a_b_c_d_e_f_g_0000P1_003_121121_01_99_01_x.jpg", RIGAKU, "row 99"),
        ("/x/a_b_c_d_e_f_g_0000P1_000_121121_01_01_01_x.jpg", RIGAKU, "inspection 0"),
        ("/x/a_b_c_d_e_f_g_0000P1_003_121121_01_01_00_x.jpg", RIGAKU, "drop 0"),
        ("/x/a_b_c_d_e_f_g_0000_003_121121_01_01_01_x.jpg", RIGAKU, "not like"),
        ("/x/a_b_c_d_e_f_g_0000P1_٠٠٣_121121_01_01_01_x.jpg", RIGAKU, "not like"),
        ("/p/plateID_1/batchID_2/wellNum_97/profileID_1/d1_r1_ef.jpg", FORMULATRIX, "well 97 is not on a plate of 96"),
        ("/p/plateID_1/batchID_2/wellNum_0/profileID_1/d1_r1_ef.jpg", FORMULATRIX, "well 0 is not"),
        ("/p/plateID_1/batchID_2/wellNum_1/profileID_1/d1_r1_3.jpg", FORMULATRIX, "no extended-focus image"),
        ("/p/plateID_1/batchID_2/wellNum_99999999999999999999/profileID_1/d1_r1_ef.jpg", FORMULATRIX, "not like"),
        ("/p/plateID_1/wellNum_1/d1_r1_ef.jpg", FORMULATRIX, "not like"),
        ("/90j8/90j8_01A_1.jpg", XCHEM, "the folder '90j8' is not like"),
        ("/90j8_2018-02-30_RI/90j8_01A_1.jpg", XCHEM, "2018-02-30 is no date"),
        ("/90j9_2018-02-03_RI/90j8_01A_1.jpg", XCHEM, "the folder is of plate 90j9, the file of plate 90j8"),
        ("/90j8_2018-02-03_RI/90j8_01ZZ_1.jpg", XCHEM, "row 702"),
        ("/90j8_2018-02-03_RI/ _01A_1.jpg", XCHEM, "the file of plate  "),
        ("/X000012345202001011200jpg/X0000123451537202001011200.jpg", HWI, "well 1537 is not on a plate of 1536"),
        ("/X000012345202001011260jpg/X0000123450001202001011200.jpg", HWI, "is no time"),
        ("/X000012346202001011200jpg/X0000123450001202001011200.jpg", HWI, "the folder is of plate X000012346"),
        ("/X000012345202001011200xyz/X0000123450001202001011200.jpg", HWI, "is not like"),
        (
            "/x/99999999999.jpg",
            own(r"(?P<row>\d)(?P<column>\d+).jpg", plate="P"),
            "the column '9999999999' is no number",
        ),
        ("/x/a٣.jpg", own(r"(?P<row>\w)(?P<column>\d).jpg", plate="P"), "the column '٣' is no number"),
        ("/x/ABC1.jpg", own(r"(?P<row>\w+)(?P<column>\d).jpg", plate="P"), "neither letters nor a number"),
        ("/x/A1ir.jpg", own(r"(?P<row>\w)(?P<column>\d)(?P<channel>\w+).jpg", plate="P"), "'ir' is no channel"),
        ("/a\nb/A1.jpg", own(r"(?P<plate>[^/]+)/(?P<row>\w)(?P<column>\d).jpg"), "is no barcode"),
        ("/" + "p" * 101 + "/A1.jpg", own(r"(?P<plate>[^/]+)/(?P<row>\w)(?P<column>\d).jpg"), "is no barcode"),
        ("/x/\udcff_01A_1.jpg", XCHEM, "not UTF-8"),
    ],
)
def test_names_that_cannot_be_are_refused_with_a_reason(path: str, naming: Naming, reason: str) -> None:
    refused = read_name(path, naming)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


@given(
    path=st.text(max_size=60).map("/".__add__), convention=st.sampled_from(["rigaku", "formulatrix", "xchem", "hwi"])
)
@example("/" * 5000, "formulatrix")
@example("_" * 5000 + ".jpg", "rigaku")
@example("/" + "a_1_" * 2000 + "_.jpg", "rigaku")
def test_any_text_is_read_or_refused(path: str, convention: str) -> None:
    assert isinstance(read_name(path, Naming(convention=convention)), ReadName | Refused)


def test_a_field_may_be_missing_from_an_optional_group() -> None:
    naming = own(r"(?P<row>[A-H])(?P<column>\d+)(?:d(?P<drop>\d))?\.jpg", plate="P")
    one, two = read_name("/A1.jpg", naming), read_name("/A1d2.jpg", naming)
    assert isinstance(one, ReadName)
    assert isinstance(two, ReadName)
    assert (one.drop, two.drop) == (1, 2)


@given(row=st.integers(0, 63), column=st.integers(0, 95))
def test_row_letters_go_round_with_well_names(row: int, column: int) -> None:
    well = WellKey(plate="P", row=row, column=column).well
    assert row_of(re.sub("[0-9]", "", well)) == row
    assert row_of(re.sub("[0-9]", "", well).lower()) == row


@pytest.mark.parametrize("wells", sorted(PLATE_FORMATS))
def test_wells_are_counted_row_by_row(wells: int) -> None:
    counted = [well_of(number, wells) for number in range(1, wells + 1)]
    height, width = PLATE_FORMATS[wells]
    assert counted == [(row, column) for row in range(height) for column in range(width)]


def test_moments() -> None:
    assert moment("20260131") == datetime(2026, 1, 31, tzinfo=UTC)
    assert moment("20260131235959") == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert [moment(text) for text in ("", "2026", "20260132", "２０２６０１３１", "1 0 1 ")] == [None] * 5


def test_the_convention_of_most_names_is_detected() -> None:
    xchem = [f"/90j8_2018-04-11_RI/90j8_0{number}A_1.jpg" for number in range(1, 4)]
    rigaku = [f"/x/a_b_c_d_e_f_g_0000P1_003_121121_0{number}_01_01_x.jpg" for number in (1, 2)]
    assert detected([*xchem, *rigaku, "/notes.jpg"]) == "xchem"
    assert detected([*xchem[:1], *rigaku]) == "rigaku"
    assert detected(["/notes.jpg"]) == detected([]) == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"convention": "guess"}, "no convention 'guess'; choose from auto, any, rigaku, formulatrix, xchem, hwi"),
        ({"plate_format": 100}, "no plate has 100 wells; choose from 48, 96, 384, 1536"),
        ({"convention": "pattern"}, "give both"),
        ({"pattern": "x"}, "give both"),
        ({"convention": "any"}, "give its barcode with --plate"),
        ({"convention": "xchem", "plate": "P"}, "tell the plate themselves; leave --plate out"),
        ({"plate": " P"}, "is no barcode"),
        ({"plate": "a/b"}, "is no barcode"),
    ],
)
def test_options_that_do_not_go_together_say_so(fields: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Naming(**fields)  # type: ignore[arg-type]


def test_every_convention_has_a_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    for convention in (*CONVENTIONS, "any"):
        assert f"`{convention}`" in page
