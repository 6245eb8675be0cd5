"""What settings say of XtalTrak and Rock Maker, and which driver they want."""

import re
import sys
from pathlib import Path

import pytest
from sqlalchemy import dialects

from crystal_search.errors import ConfigError, DatabaseError, UserError
from crystal_search.server.facility import rockmaker_schema, xtaltrak_schema
from crystal_search.server.facility.facility_kinds import open_facility
from crystal_search.server.facility.facility_settings import FacilitySettings, read_facility_settings
from crystal_search.server.facility.xtaltrak_schema import xtaltrak_site

SETTINGS = """
[facility]
kind = "xtaltrak"
url = "oracle://artscore@db.lab:1521/?service_name=XTAL"

[facility.folders]
'\\\\imager\\images' = "/mnt/imager"

[facility.channels]
"*_UV_*" = "uv"
"*_HF_99_*" = "visible"

[facility.outcomes]
20 = "crystal_bad_form"

[facility.options]
owner = "RIGAKU"
sequence = "SCORES_SEQ"
scored_by = "machine"
image_path = '\\\\imager\\images\\{barcode}\\{inspection}\\{name}'
margin_hours = "2.5"
time_zone = "Europe/Berlin"

[facility.names]
I_SCORES = "SCORES"
"I_SCORES.SCOREDBY" = "USER_NAME"
"""


DOCS = Path(__file__).parents[2] / "docs"


def test_every_option_table_and_column_is_documented() -> None:
    told = (DOCS / "facility-xtaltrak.md").read_text(encoding="utf-8")
    assert [option for option in xtaltrak_schema.OPTIONS if f"| `{option}` |" not in told] == []
    columns = {name for table in xtaltrak_schema.WANTED.values() for name in table}
    assert [name for name in (*xtaltrak_schema.WANTED, *columns) if not re.search(rf"\b{name}\b", told)] == []
    told = (DOCS / "facility-rockmaker.md").read_text(encoding="utf-8")
    assert [name for name in rockmaker_schema.WANTED if f"`{name}`" not in told] == []


def xtaltrak(**fields: dict[str, str]) -> FacilitySettings:
    return FacilitySettings(kind="xtaltrak", url="oracle://artscore@db.lab/x", **fields)  # type: ignore[arg-type]


def test_a_table_of_settings_describes_a_site(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    settings = read_facility_settings(path)
    site = xtaltrak_site(settings)
    assert site.channels == {"*_UV_*": "uv", "*_HF_99_*": "visible"}
    assert site.outcomes == {20: "crystal_bad_form"}
    assert (site.sequence, site.scored_by, site.margin_hours) == ("SCORES_SEQ", "machine", 2.5)
    assert (site.time_zone, site.image_path.count("\\")) == ("Europe/Berlin", 6)
    open_facility(settings).close()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"options": {"colour": "red"}}, "xtaltrak knows no colour; choose from .*scored_by"),
        ({"options": {"margin_hours": "-1"}}, "margin_hours must be from 0 to 8760, got '-1'"),
        ({"options": {"margin_hours": "soon"}}, "margin_hours must be from 0"),
        ({"options": {"margin_hours": "nan"}}, "margin_hours must be from 0"),
        ({"options": {"time_zone": "Frankfurt"}}, "no time zone 'Frankfurt'"),
        ({"options": {"image_path": "/x/{plate}"}}, "it may name {barcode}, {inspection} and {name}"),
        ({"options": {"image_path": "/x/{"}}, "it may name {barcode}"),
        ({"options": {"sequence": "a; b"}}, "the sequence is called 'a; b'"),
        ({"options": {"owner": "a.b"}}, "the tables' owner is called 'a.b'"),
        ({"channels": {"*": "infrared"}}, "'\\*' is 'infrared'; choose from visible, uv"),
        ({"outcomes": {"20": "crystals"}}, "'20' is 'crystals'; choose from crystal_harvestable"),
        ({"outcomes": {"good": "clear"}}, "XtalTrak scores by numbers, got 'good'"),
        ({"names": {"SCORES": "X"}}, "nothing is called SCORES"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, dict[str, str]], why: str) -> None:
    with pytest.raises(UserError, match=why):
        open_facility(xtaltrak(**fields))


@pytest.mark.parametrize(
    ("kind", "url", "hidden", "extra"),
    [
        ("xtaltrak", "oracle://artscore@db.lab/x", "oracledb", "crystal-search[oracle]"),
        ("rockmaker", "mssql://reader@db.lab/RockMaker", "sqlalchemy_pytds", "crystal-search[mssql]"),
        ("rockmaker", "mssql://reader@db.lab/RockMaker", "pytds", "crystal-search[mssql]"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    kind: str, url: str, hidden: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("sqlalchemy_pytds")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(dialects.registry, "impls", {})
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(ConfigError) as caught:
        open_facility(FacilitySettings(kind=kind, url=url))
    assert str(caught.value).endswith(f"pip install '{extra}'")


@pytest.mark.parametrize(("kind", "url"), [("xtaltrak", "mssql://a@b/c"), ("rockmaker", "oracle://a@b/c")])
def test_another_kind_of_database_is_refused(kind: str, url: str) -> None:
    with pytest.raises(ConfigError, match=r"url in \[facility\] starts with"):
        open_facility(FacilitySettings(kind=kind, url=url))


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("xtaltrak", "oracle://artscore@127.0.0.1:1/?service_name=X"),
        ("rockmaker", "mssql://reader@127.0.0.1:1/RockMaker"),
    ],
)
def test_a_server_that_is_away_is_told_without_the_password(
    kind: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACILITY_PASSWORD", "hush-hush")
    settings = FacilitySettings(kind=kind, url=url, password_variable="FACILITY_PASSWORD", timeout_seconds=2)
    facility = open_facility(settings)
    for ask in (facility.check, lambda: facility.pull("", limit=9)):
        with pytest.raises(DatabaseError, match="cannot ") as caught:
            ask()
        assert "hush" not in f"{caught.value!r} {caught.value.__cause__!r}"
    facility.close()
