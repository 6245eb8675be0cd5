"""What is in wells and whose plates are, from files that people have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.server.home import Home
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts
from crystal_search.server.importing.condition_table import conditions_of, place_of
from crystal_search.server.importing.conditions_command import conditions_from
from crystal_search.server.importing.owners_command import owners_in
from crystal_search.server.importing.screen_xml import conditions_in
from crystal_search.server.installation import opened
from crystal_search.wells import well_name

SCREEN = """<?xml version="1.0" encoding="utf-8"?>
<screen{namespace}>
  <conditions>
    {conditions}
  </conditions>
  <ingredients>
    <ingredient>
      <stocks><stock><localID>1</localID><stockConcentration>50</stockConcentration><units>w/v</units></stock></stocks>
      <name>PEG 3350</name><shortName>PEG</shortName><types><type>Precipitant</type></types>
    </ingredient>
    <ingredient>
      <name>HEPES &amp; «Na»</name>
      <stocks><stock><localID>2</localID><units>M</units><pH>7.5</pH><useAsBuffer>true</useAsBuffer></stock>
              <stock><localID>3</localID><units>M</units><pH>9</pH></stock></stocks>
    </ingredient>
  </ingredients>
</screen>
"""
PEG = (
    "<conditionIngredient><concentration>25</concentration><type>Precipitant</type>"
    "<stockLocalID>1</stockLocalID></conditionIngredient>"
)
HEPES = (
    "<conditionIngredient><concentration>0.1</concentration>{ph}<type>Buffer</type>"
    "<stockLocalID>2</stockLocalID><highPHStockLocalID>3</highPHStockLocalID></conditionIngredient>"
)
PEG_INGREDIENT = Ingredient(name="PEG 3350", concentration=25.0, unit="w/v", role="precipitant")
HEPES_INGREDIENT = Ingredient(name="HEPES & «Na»", concentration=0.1, unit="M", ph=8.2, role="buffer")


def screen(folder: Path, *conditions: str, namespace: str = "", name: str = "JCSG.xml") -> Path:
    path = folder / name
    told = "\n    ".join(f"<condition>{each}</condition>" for each in conditions)
    path.write_text(SCREEN.format(conditions=told, namespace=namespace), encoding="utf-8")
    return path


def table(folder: Path, text: str, *, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.formulatrix.com/RMXML"'])
def test_a_screen_tells_what_is_in_each_condition(tmp_path: Path, namespace: str) -> None:
    path = screen(tmp_path, PEG + HEPES.format(ph="<pH>8.2</pH>"), HEPES.format(ph=""), "", namespace=namespace)
    first, second, empty = conditions_in(path)
    assert first == (PEG_INGREDIENT, HEPES_INGREDIENT)
    assert [each.ph for each in second] == [7.5]  # of the stock
    assert empty == ()
    assert ", ".join(each.text for each in first) == "25 w/v PEG 3350, 0.1 M HEPES & «Na» pH 8.2"


def test_a_screen_fills_a_plate_row_by_row(tmp_path: Path) -> None:
    told = conditions_from(screen(tmp_path, *[PEG] * 96), None)
    assert [(each.well, each.name) for each in (told[0], told[12], told[95])] == [
        ("A01", "JCSG A01"),
        ("B01", "JCSG B01"),
        ("H12", "JCSG H12"),
    ]
    assert [each.well for each in conditions_from(screen(tmp_path, *[PEG] * 24), None)][6] == "B01"
    assert [each.well for each in conditions_from(screen(tmp_path, PEG, PEG, PEG), 2)] == ["A01", "A02", "B01"]
    with pytest.raises(UserError, match="has 3 conditions, not 24, 48, 96, 384, 1536; say with --columns"):
        conditions_from(screen(tmp_path, PEG, PEG, PEG), None)


def test_what_is_wrong_in_a_screen_is_told_by_line(tmp_path: Path) -> None:
    lost, odd = PEG.replace(">1<", ">7<"), PEG.replace("25", "a bit")
    with pytest.raises(UserError) as told:
        conditions_in(screen(tmp_path, PEG, lost, odd))
    assert str(told.value).splitlines()[1:] == [
        "line 5: there is no <stock> whose localID is '7'",
        "line 6: concentration 'a bit' is no number; write more than a number into ingredient",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><screen>&b;</screen>', "has a document type"),
        ('<!DOCTYPE s SYSTEM "file:///etc/passwd"><screen/>', "has a document type"),
        ("<screen><conditions>", "is no XML"),
        ("", "is no XML"),
        ('<?xml version="1.0" encoding="klingon"?><screen/>', "is no XML"),
        ("<plate/>", "begins with <plate>"),
        ("<screen/>", "has no <condition>"),
        ("<a>" * 100_000 + "</a>" * 100_000, "begins with <a>"),
    ],
)
def test_hostile_xml_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=reason):
        conditions_in(path)


@given(data=st.binary(max_size=300) | st.text("<>/&;![]screncdtof \"'=", max_size=200).map(str.encode))
def test_no_bytes_are_more_than_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.xml").write_bytes(data)
    (folder / "a.csv").write_bytes(data)
    for read in (conditions_in, owners_in, conditions_of):
        with pytest.raises(CrystalSearchError):
            read(folder / ("a.xml" if read is conditions_in else "a.csv"))


def test_a_line_may_tell_of_a_well_or_of_one_of_its_ingredients(tmp_path: Path) -> None:
    wide = (
        "Well,Condition name,Ingredient 1,Concentration 1,Units 1,pH 1,Role 1,Ingredient 2\n"
        "C7,JCSG C7,HEPES,0.1,M,7.5,Buffer,25 % PEG\n"
    )
    long = "well;condition_name;chemical;conc;unit;pH;type\nc07;JCSG C7;HEPES;0,1;M;7,5;buffer\nC7;;25 % PEG;;;;\n"
    wells = [conditions_of(table(tmp_path, text)) for text in (wide, long)]
    hepes = Ingredient(name="HEPES", concentration=0.1, unit="M", ph=7.5, role="buffer")
    expected = Condition(plate="", row=2, column=6, name="JCSG C7", ingredients=(hepes, Ingredient(name="25 % PEG")))
    assert wells == [[expected], [expected]]


def test_free_text_is_kept_as_written(tmp_path: Path) -> None:
    text = "plate\twell\tdrop\tcondition\nP1\tA1\t2\t'=0.1M  Li2SO4, «x» \nP2\tH12\t\tnothing\n"
    told = conditions_of(table(tmp_path, text, encoding="utf-16"))
    assert told == [
        Condition(plate="P1", row=0, column=0, drop=2, ingredients=(Ingredient(name="=0.1M  Li2SO4, «x»"),)),
        Condition(plate="P2", row=7, column=11, ingredients=(Ingredient(name="nothing"),)),
    ]


def test_what_is_wrong_in_a_table_is_told_by_line(tmp_path: Path) -> None:
    lines = [
        "plate,well,drop,condition_name,ingredient,concentration",
        "P1,A1,,one,PEG,25",
        "P1,A13x,,,PEG,",
        "P1,A2,x,,PEG,",
        "P1,A3,,,PEG,much",
        "P1,A4,,,,25",
        "P1,A1,,two,HEPES,",
        "P/1,A5,,,PEG,",
        "P1,A6,,,PEG,1,2",
        "P1,ZZ1,,,PEG,nan",
    ]
    with pytest.raises(UserError) as told:
        conditions_of(table(tmp_path, "\n".join(lines)))
    words = str(told.value).splitlines()
    assert words[0].endswith("table.csv is not read:")
    for line, part in zip(
        range(3, 11),
        (
            "'A13x' is no well",
            "drop 'x'",
            "concentration 'much'",
            "has no ingredient",
            "'one' in a line before, and 'two'",
            "'P/1' is no barcode",
            "it has 7 cells",
            "'ZZ1' is no well",
        ),
        strict=True,
    ):
        assert [each for each in words if each.startswith(f"line {line}: ") and part in each]
    with pytest.raises(UserError, match="has a column 'cat'; it may have concentration"):
        conditions_of(table(tmp_path, "well,cat\nA1,1\n"))
    with pytest.raises(UserError, match="two columns 'concentration_unit'"):
        conditions_of(table(tmp_path, "well,unit,units\nA1,1,2\n"))


def test_thousands_between_tabs_are_no_concentration(tmp_path: Path) -> None:
    """German `1,234` and English `1,234` differ a thousandfold, and tabs tell nothing of who wrote them."""
    text = "well\tingredient\tconcentration\nA1\tPEG\t{}\n"
    ((found,),) = [each.ingredients for each in conditions_of(table(tmp_path, text.format("0,125")))]
    assert found.concentration == 0.125
    with pytest.raises(UserError, match="line 2: concentration '1,234' is no number; take the comma out, or write a p"):
        conditions_of(table(tmp_path, text.format("1,234")))


@given(row=st.integers(0, 31), column=st.integers(0, 47))
def test_a_well_is_found_by_its_name(row: int, column: int) -> None:
    assert place_of(well_name(row, column)) == (row, column)


def test_owners_are_read_from_a_table(tmp_path: Path) -> None:
    text = "Barcode;Proposal;Protein;Owner;People;Plate type\nP1;mx-1;lysozyme;Zoë;Ann; O'Neill\nP2;mx-1;;;;\n"
    text = text.replace("Ann; O'Neill", '"Ann; O\'Neill";SWISSCI 3 Drop')
    assert owners_in(table(tmp_path, text, encoding="cp1252")) == [
        PlateFacts(
            plate="P1",
            project="mx-1",
            protein="lysozyme",
            owner="Zoë",
            people=("Ann", "O'Neill"),
            plate_type="SWISSCI 3 Drop",
        ),
        PlateFacts(plate="P2", project="mx-1"),
    ]
    with pytest.raises(UserError, match="line 3: plate P1 stands in a line before"):
        owners_in(table(tmp_path, "plate,owner\nP1,a\nP1,b\n"))


def test_commands_note_what_files_say_or_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "home").made()
    path = str(screen(tmp_path, *[PEG] * 96))
    owners = str(table(tmp_path, "plate,owner\nP1,Zoë\n", name="owners.csv"))
    where = ["--home", str(home.path)]
    with opened(home.path):
        pass
    assert main(["conditions", path, "--plate", "P1", "P2", "--dry-run", *where]) == 0
    assert main(["owners", owners, "--dry-run", *where]) == 0
    with opened(home.path) as site:
        assert (site.imaging.conditions("P1"), site.imaging.plate_facts(["P1"])) == ([], {})
    assert "it would be 192 conditions on 2 plates" in capsys.readouterr().out
    for _ in range(2):
        assert main(["conditions", path, "--plate", "P1", "--plate", "P2", *where]) == 0
        assert main(["owners", owners, *where]) == 0
    said = capsys.readouterr().out
    assert "192 wells: 192 new, 0 changed, 0 as before\n2 plates without images so far: P1, P2\n" in said
    assert "192 wells: 0 new, 0 changed, 192 as before" in said
    assert "1 plate: 0 new, 0 changed, 1 as before" in said
    with opened(home.path) as site:
        assert len(site.imaging.conditions("P2")) == 96
        assert site.imaging.conditions("P2")[0].source == "JCSG.xml"
        assert site.imaging.plate_facts(["P1"]) == {"P1": PlateFacts(plate="P1", owner="Zoë")}


def test_plates_are_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = str(table(tmp_path, "plate,well,condition\nP1,A1,x\n"))
    nameless = str(table(tmp_path, "well,condition\nA1,x\n", name="b.csv"))
    mixed = str(table(tmp_path, "plate,well,condition\nP1,A1,x\n,A2,x\n", name="c.csv"))
    for words, reason in (
        ([named, "--plate", "P1"], "names plates itself"),
        ([nameless], "say with --plate"),
        ([mixed], "not in that of well A02"),
        ([nameless, "--plate", "P/1"], "no barcode"),
    ):
        assert main(["conditions", *words, "--dry-run"]) == USAGE
        assert reason in capsys.readouterr().err
