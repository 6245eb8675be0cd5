"""Names of robots: what they say, what is refused, and that writing and reading go round."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName, Refused, drop_of, moment, row_of, well_of
from crystal_search.naming import CONVENTION_NAMES, Naming, plate_format_of, profile_of, shown_in, utc_of
from crystal_search.robot_conventions import CONVENTIONS
from crystal_search.robot_names import DETECTABLE, detected, read_name
from crystal_search.wells import CHANNELS, PLATE_FORMATS, WellKey, channel_named

RIGAKU = Naming(convention="rigaku")
FORMULATRIX = Naming(convention="formulatrix")
XCHEM = Naming(convention="xchem")
HWI = Naming(convention="hwi")

rows, columns, drops = st.integers(0, 31), st.integers(0, 47), st.integers(1, 9)
days = st.dates(datetime(2000, 1, 1).date(), datetime(2060, 1, 1).date())
barcodes = st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True)


def own(pattern: str, **fields: str) -> Naming:
    return Naming(convention="pattern", pattern=pattern, **fields)  # type: ignore[arg-type]


@given(barcode=barcodes, inspection=st.integers(1, 999), day=days, row=rows, column=columns, drop=drops)
def test_rigaku_goes_round(*, barcode: str, inspection: int, day: date, row: int, column: int, drop: int) -> None:
    date = str(day).replace("-", "")[2:]
    name = f"RMM3_01_222_A_B_C_CI_0000{barcode}_{inspection:03}_{date}_{column + 1:02}_{row + 1:02}_{drop:02}"
    assert read_name(f"/images/{barcode}/{inspection}/{name}_HF_99_030_001_RDI.jpg", RIGAKU) == ReadName(
        plate=barcode, row=row, column=column, drop=drop, inspection=inspection, taken=day
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
    name = read_name(path, FORMULATRIX)
    assert isinstance(name, ReadName)
    assert (name.plate, name.drop, int(name.session), name.inspection) == (str(plate), drop, batch, None)
    assert name.well_number == well


@given(barcode=barcodes, day=days, row=rows, column=columns, drop=drops)
def test_xchem_goes_round(barcode: str, day: date, row: int, column: int, drop: int) -> None:
    letters = re.sub("[0-9]", "", WellKey(plate="", row=row, column=0).well)
    folder = f"{barcode}_{day}_RI1000-0081-2drop"
    path = f"/SubwellImages/{folder}/{barcode}_{column + 1:02}{letters}_{drop}.jpg"
    assert read_name(path, XCHEM) == ReadName(
        plate=barcode, row=row, column=column, drop=drop, session=folder, taken=day
    )


@given(
    barcode=st.from_regex(r"[A-Z][0-9]{9}", fullmatch=True),
    day=days,
    well=st.integers(1, 1536),
    kind=st.sampled_from([("jpg", "visible"), ("uvt", "uv"), ("shg", "shg")]),
)
def test_hwi_goes_round(barcode: str, day: date, well: int, kind: tuple[str, str]) -> None:
    when = str(day).replace("-", "") + "1130"
    name = read_name(f"/hwi/{barcode}{when}{kind[0]}/{barcode}{well:04}{when}.jpg", HWI)
    assert name == ReadName(
        plate=barcode,
        row=(well - 1) // 48,
        column=(well - 1) % 48,
        channel=kind[1],
        session=when,
        began=datetime.combine(day, time(11, 30)),
        taken=datetime.combine(day, time(11, 30)),
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
    *, plate: str, row: int, column: int, drop: int, inspection: int, channel: str, day: date
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
        taken=day,
    )


def channel(path: str, naming: Naming) -> str:
    """Return the channel that a name tells, or why it is refused."""
    name = read_name(path, naming)
    return name.channel if isinstance(name, ReadName) else name.reason


def test_profiles_of_rockimager_are_channels() -> None:
    path = "/p/plateID_1/batchID_2/wellNum_1/profileID_{}/d1_r1_ef.jpg"
    nobody = "nobody has said what light profile {0} is; say --channel {0}=visible, or =uv ..."
    told = replace(FORMULATRIX, profiles=(profile_of("2=UV"), profile_of("7=xpl")))
    channels = [channel(path.format(number), told) for number in (1, 2, 7, 3)]
    assert channels == ["visible", "uv", "cross-polarised", nobody.format(3)]
    assert [channel(path.format(number), FORMULATRIX) for number in (1, 2)] == ["visible", nobody.format(2)]
    twelve = replace(FORMULATRIX, profiles=(profile_of("12=visible"),))
    assert [channel(path.format(number), twelve) for number in (12, 1)] == ["visible", nobody.format(1)]


def test_names_of_formulatrix_own_export_go_round() -> None:
    naming = Naming(convention="rm-export", profiles=(profile_of("LumiTwo=shg"),))
    name = read_name("/out/03c3/Clear/03c3_AF12_ImagerDefaults_6_1200.jpg", naming)
    assert name == ReadName(plate="03c3", row=31, column=11, session="000000000000001200")
    path = "/out/P_1/Clear/P_1_A1_{}_C_7.jpg"
    profiles = ("ImagerDefaults", "UVDefaults", "UV-Vis", "lumitwo", "MyLight")
    assert [channel(path.format(profile), naming) for profile in profiles] == [
        "visible",
        "uv",
        "nobody has said what light profile UV-Vis is; say --channel UV-Vis=visible, or =uv ...",
        "shg",
        "nobody has said what light profile MyLight is; say --channel MyLight=visible, or =uv ...",
    ]
    export = [f"/a/03c3_{row}1_ImagerDefaults_{row}_12.jpg" for row in "ABC"]
    assert detected(export) == "rm-export"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/share/P1/A1.jpg", ReadName(plate="P1", inspection=1)),
        ("/share/P1/af48.TIF", ReadName(plate="P1", row=31, column=47, inspection=1)),
        ("/share/P1/B10d2.jpg", ReadName(plate="P1", row=1, column=9, drop=2, inspection=1)),
        ("/share/P1/B10_2.jpg", ReadName(plate="P1", row=1, column=9, drop=2, inspection=1)),
        ("/share/P1/B10c.jpg", ReadName(plate="P1", row=1, column=9, drop=2, inspection=1)),
        ("/share/P1/A1_UV.jpg", ReadName(plate="P1", inspection=1, channel="uv")),
        ("/share/P1/UV/A1.jpg", ReadName(plate="P1", inspection=1, channel="uv")),
        ("/share/P1_UV/A1.jpg", ReadName(plate="P1", inspection=1, channel="uv")),
        ("/share/P1/2026-01-31/A1.jpg", ReadName(plate="P1", session="2026-01-31", taken=date(2026, 1, 31))),
        ("/share/P1/20260131_1530/A1.jpg", ReadName(plate="P1", taken=datetime(2026, 1, 31, 15, 30))),
        ("/share/P1/UV/A1_vis.jpg", "it may be uv or visible; a name tells one channel"),
        ("/share/P1/B10 copy.jpg", "'copy' is neither a drop nor a channel"),
        ("/share/P1/A1b.jpg", "the drop 'b' is none of a, c, d; name the letters of this plate's drops with --drops"),
        ("/share/P1/photo.jpg", "not like A1.jpg, with _DROP or _CHANNEL behind it"),
        ("/A1.jpg", "'' is no barcode"),
    ],
)
def test_names_that_are_wells(path: str, expected: ReadName | str) -> None:
    found = read_name(path, Naming(convention="well"))
    assert found == (expected if isinstance(expected, ReadName) else Refused(expected))


def test_a_barcode_that_is_given_counts_for_names_that_are_wells() -> None:
    naming = Naming(convention="well", plate="Mine")
    assert read_name("/photos/B10.jpg", naming) == ReadName(plate="Mine", row=1, column=9, inspection=1)
    assert channel("/photos/night_UV/B10.jpg", naming) == "uv"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/x/P1_A01.jpg", ReadName(plate="P1", inspection=1)),
        ("/x/LCP-7-C12.jpg", ReadName(plate="LCP-7", row=2, column=11, inspection=1)),
        ("/x/P_1_H12_3.png", ReadName(plate="P_1", row=7, column=11, drop=3, inspection=1)),
        ("/x/P1_A01d2_SHG.jpg", ReadName(plate="P1", drop=2, channel="shg", inspection=1)),
        ("/x/UV/P1_A01.jpg", ReadName(plate="P1", channel="uv", inspection=1)),
        ("/x/P1_UV_A01.jpg", ReadName(plate="P1", channel="uv", inspection=1)),
        ("/x/P1_A01_copy.jpg", "'copy' is neither a drop nor a channel"),
        ("/x/P1 A01.jpg", "not like PLATE_A01.jpg, with _DROP or _CHANNEL behind it"),
    ],
)
def test_names_that_are_plate_and_well(path: str, expected: ReadName | str) -> None:
    found = read_name(path, Naming(convention="plate-well"))
    assert found == (expected if isinstance(expected, ReadName) else Refused(expected))


def test_what_may_be_called_so_by_chance_is_found_only_when_asked_for() -> None:
    assert detected(["/P1/A1.jpg", "/P1/A2.jpg"]) == ""
    assert detected(["/P1/A1.jpg", "/P1/A2.jpg"], among=DETECTABLE) == "well"
    assert detected(["/x/P1_A1.jpg"], among=DETECTABLE) == "plate-well"
    assert detected(["/x/03c3_A1_ImagerDefaults_6_1200.jpg"], among=DETECTABLE) == "rm-export"


RDI = "{fields}_0000CI022987_003_121121_01_02_03_HF_99_030_001{rest}.jpg"


def test_fields_of_rigaku_are_counted_from_the_barcode() -> None:
    said = ReadName(plate="CI022987", row=1, column=0, drop=3, inspection=3, taken=date(2012, 11, 21))
    for fields in ("RMM3_01_222_ROBO_Test1_Clon1_CI", "RMM3_01_222_ROBO_Test_1_a_b_Clon1_CI"):
        assert read_name("/x/" + RDI.format(fields=fields, rest="_RDI"), RIGAKU) == said
    assert read_name("/x/" + RDI.format(fields="a_b_c_d_e_f", rest=""), RIGAKU) == Refused(
        "not like ..._0000BARCODE_INSPECTION_yymmdd_COLUMN_ROW_DROP_....jpg"
    )
    twice = RDI.format(fields="a_b_c_d_e_f_g_0000P1_1_121121_1_1_1", rest="")
    assert channel("/x/" + twice, RIGAKU) == (
        "the barcode may be P1 or CI022987; write no underscores into the fields before it"
    )
    assert channel("/x/" + RDI.format(fields="RMM3_UV_222_ROBO_Test1_Clon1_CI", rest="_RDI"), RIGAKU) == "visible"
    assert channel("/x/" + RDI.format(fields="RMM3_01_222_ROBO_Test1_Clon1_CI", rest="_UV"), RIGAKU) == "uv"


def test_barcodes_are_one_whatever_a_file_system_makes_of_their_accents() -> None:
    composed, apart = "/x/P\u00fc_A1.jpg", "/x/Pu\u0308_A1.jpg"
    names = [read_name(path, Naming(convention="plate-well")) for path in (composed, apart)]
    assert names == [ReadName(plate="P\u00fc", inspection=1)] * 2
    assert plate_format_of("Pu\u0308=48") == ("P\u00fc", 48)
    naming = own("Pu\u0308(?P<plate>.)_(?P<row>.)(?P<column>.).jpg")
    assert read_name("/x/P\u00fc7_A1.jpg", naming) == ReadName(plate="7", inspection=1)


def test_drops_have_numbers_or_letters() -> None:
    assert [drop_of(text, "acd") for text in ("a", "c", "d", "D", "12")] == [1, 2, 3, 3, 12]
    assert [drop_of(text, "ab") for text in ("a", "b")] == [1, 2]
    assert drop_of("b", "acd") == Refused(
        "the drop 'b' is none of a, c, d; name the letters of this plate's drops with --drops"
    )
    assert drop_of("٣", "acd") == Refused("the drop '٣' is no number")


def test_a_channel_that_a_pattern_does_not_read_is_never_taken_for_visible() -> None:
    naming = own(r"(?P<plate>[^/]+)/(?:\w+/)?(?P<row>[A-H])(?P<column>\d+)(?:_\w+)?\.jpg")
    paths = ("/x/P1/A01.jpg", "/x/P1/A01_UV.jpg", "/x/P1/A01_shg.jpg", "/x/UV-7/A01.jpg")
    assert [channel(path, naming) for path in paths] == ["visible", "uv", "shg", "visible"]
    assert channel("/x/P1/A01.jpg", replace(naming, channel="uv")) == "uv"
    assert channel("/x/P1/A01_VIS.jpg", replace(naming, channel="uv")) == "visible"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("VIS", "visible"),
        ("uv", "uv"),
        ("UVT", "uv"),
        ("XPL", "cross-polarised"),
        ("Cross-Polarized", "cross-polarised"),
    ],
)
def test_channels_are_called_in_several_ways(word: str, expected: str) -> None:
    assert channel_named(word) == expected
    naming = own(r"(?P<row>\w)(?P<column>\d)(?P<channel>[\w-]+).jpg", plate="P")
    assert channel(f"/x/A1{word}.jpg", naming) == expected


def test_times_are_those_of_the_robots_clock() -> None:
    summer, winter = datetime(2020, 7, 1, 11, 36), datetime(2020, 1, 1, 11, 36)
    assert utc_of(summer, "Europe/Zurich") == datetime(2020, 7, 1, 9, 36, tzinfo=UTC)
    assert utc_of(winter, "Europe/Zurich") == datetime(2020, 1, 1, 10, 36, tzinfo=UTC)
    for zone in ("Europe/Zurich", "America/New_York", "UTC", ""):
        assert shown_in(utc_of(summer, zone), zone).replace(tzinfo=None) == summer


def test_a_pattern_without_a_slash_reads_the_whole_file_name() -> None:
    naming = own(r"(?P<row>[A-Z]+)(?P<column>[0-9]+)\.jpg", plate="Mine")
    assert read_name("/x/AF48.jpg", naming) == ReadName(plate="Mine", row=31, column=47, inspection=1)
    assert read_name("/x/notAF48.jpg", naming) == Refused("does not match the pattern")
    assert read_name("/AF48.jpg/x.jpg", naming) == Refused("does not match the pattern")


def test_a_pattern_with_a_date_and_no_inspection_tells_a_session_or_a_time() -> None:
    naming = own(r"(?P<plate>\w+?)_(?P<date>\d+)_(?P<row>[A-H])(?P<column>\d+)\.jpg")
    well_c7 = ReadName(plate="P1", row=2, column=6)
    assert read_name("/x/P1_20260131_C7.jpg", naming) == replace(well_c7, session="2026-01-31", taken=date(2026, 1, 31))
    assert read_name("/x/P1_202601311530_C7.jpg", naming) == replace(well_c7, taken=datetime(2026, 1, 31, 15, 30))
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
        ("/p/plateID_1/batchID_2/wellNum_1537/profileID_1/d1_r1_ef.jpg", FORMULATRIX, "well 1537 is on no plate"),
        ("/p/plateID_1/batchID_2/wellNum_0/profileID_1/d1_r1_ef.jpg", FORMULATRIX, "well 0 is on no plate"),
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
        (
            "/x/A1ir.jpg",
            own(r"(?P<row>\w)(?P<column>\d)(?P<channel>\w+).jpg", plate="P"),
            "no channel 'ir'; choose from visible",
        ),
        ("/a\nb/A1.jpg", own(r"(?P<plate>[^/]+)/(?P<row>\w)(?P<column>\d).jpg"), "is no barcode"),
        ("/" + "p" * 101 + "/A1.jpg", own(r"(?P<plate>[^/]+)/(?P<row>\w)(?P<column>\d).jpg"), "is no barcode"),
        ("/x/\udcff_01A_1.jpg", XCHEM, "not UTF-8"),
    ],
)
def test_names_that_cannot_be_are_refused_with_a_reason(path: str, naming: Naming, reason: str) -> None:
    refused = read_name(path, naming)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


@given(path=st.text(max_size=60).map("/".__add__), convention=st.sampled_from(DETECTABLE))
@example("/" * 5000, "formulatrix")
@example("_" * 5000 + ".jpg", "rigaku")
@example("/" + "a_1_" * 2000 + "_.jpg", "rigaku")
@example("/" + "0000P_1_121121_1_1_1_" * 2000 + ".jpg", "rigaku")
@example("/" + "A1_" * 5000 + ".jpg", "rm-export")
@example("/" + "A1_" * 5000 + ".jpg", "plate-well")
@example("/2026" * 5000 + "/A1.jpg", "well")
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
    assert (moment("20260131"), moment("121121")) == (date(2026, 1, 31), date(2012, 11, 21))
    assert moment("20260131235959") == datetime(2026, 1, 31, 23, 59, 59)
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
        (
            {"convention": "guess"},
            "no convention 'guess'; choose from auto, any, rigaku, formulatrix",
        ),
        ({"plate_format": 100}, "no plate has 100 wells; choose from 48, 96, 384, 1536"),
        ({"plate_formats": (("P1", 100),)}, "no plate has 100 wells; choose from 48, 96, 384, 1536"),
        ({"channel": "ir"}, "no channel 'ir'; choose from visible, uv, cross-polarised, shg"),
        ({"drops": "aa"}, "drops are letters, each once"),
        ({"gap_minutes": 0.0}, "above 0 minutes, got 0"),
        ({"time_zone": "Europe/Atlantis"}, "no time zone 'Europe/Atlantis'; write one like Europe/Zurich"),
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
    assert tuple(CONVENTIONS) == CONVENTION_NAMES
    for convention in (*CONVENTIONS, "any"):
        assert f"`{convention}`" in page
