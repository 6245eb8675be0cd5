"""Versions of the volunteer's program in a BOINC project."""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.errors import EngineError, UserError
from crystal_search.main import main
from crystal_search.model import (
    Model,
    ModelRef,
    default_model,
    default_models,
    default_models_folder,
    model_in_any,
    references,
)
from crystal_search.model_card import ROLES, ClassifierCard, ModelCard
from crystal_search.server.engines.boinc.app_versions import AppVersion, Stock, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.project import Project
from crystal_search.server.engines.boinc.staging import place_of, program_at, stage
from crystal_search.server.engines.boinc.supplying import supply
from tests.boinc_site import LINUX, WINDOWS, Server, frozen, made_project, versions_of

SHIPPED = default_models(default_models_folder())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made_project(tmp_path / "project")


def other(model: Model[ModelCard], name: str = "ours-1") -> Model[ModelCard]:
    """Return a model that is not the shipped one."""
    return Model(replace(model.card, name=name, sha256=f"{'c' * 63}{len(name) % 10}"), b"another network")


def laid(project: Project, programs: Sequence[Path], models: Sequence[Model[ModelCard]] = SHIPPED) -> list[Path]:
    """Stage programs and return where they lie."""
    staged = stage(project, [program_at(path) for path in programs], models)
    return [place_of(project, each.number, each.platform) for each in staged]


def described(place: Path) -> list[ET.Element]:
    return ET.parse(place / "version.xml").getroot().findall("file")


def test_a_version_holds_the_program_and_the_models(project: Project, tmp_path: Path) -> None:
    (place,) = laid(project, [frozen(tmp_path)])
    assert place.relative_to(project.root) == Path(f"apps/crystal_search/0.01/{LINUX}")
    files = {each.findtext("physical_name"): each.findtext("logical_name") for each in described(place)}
    assert set(files) == {path.name for path in place.iterdir()} - {"version.xml"}
    (main_file,) = [each for each in described(place) if each.find("main_program") is not None]
    name = str(main_file.findtext("physical_name"))
    assert name.startswith(f"crystal-search-client_0.1.0_{LINUX}_")
    assert (place / name).stat().st_mode & 0o111
    assert all(each.find("copy_file") is not None for each in described(place))
    assert ET.parse(place / "version.xml").getroot().findtext("api_version") == "7.5.0"


def test_in_a_slot_models_are_found_by_their_hashes_also_two_of_one_name(project: Project, tmp_path: Path) -> None:
    twin = other(default_model(ClassifierCard), default_model(ClassifierCard).card.name)
    (place,) = laid(project, [frozen(tmp_path)], [*SHIPPED, twin])
    slot = tmp_path / "slot"
    slot.mkdir()
    for each in described(place):
        physical, logical = str(each.findtext("physical_name")), str(each.findtext("logical_name"))
        (slot / logical).write_bytes((place / physical).read_bytes())
    for kind in (each for each in ROLES.values() if each.needed):
        card = default_model(kind).card
        found = model_in_any([slot], card.sha256).card
        assert replace(found, name=card.name, file=card.file) == replace(
            card, training_data="", training_command="", measured=()
        )
    assert len(list(slot.glob("*.card.json"))) == 3


def test_a_file_of_one_name_never_has_two_contents(project: Project, tmp_path: Path) -> None:
    """BOINC refuses a version of which a file differs from one of that name that it has."""
    classifier = default_model(ClassifierCard)
    told = Model(replace(classifier.card, name="renamed", file="moved-1.onnx", training_data="more"), classifier.onnx)
    calibrated = Model(replace(classifier.card, temperature=3.0), classifier.onnx)
    places = laid(project, [frozen(tmp_path)], [classifier])
    places += laid(project, [frozen(tmp_path, content="built again")], [told])
    places += laid(project, [frozen(tmp_path, WINDOWS)], [calibrated])
    contents: dict[str, set[bytes]] = {}
    for place in places:
        for path in place.iterdir():
            contents.setdefault(path.name, set()).add(path.read_bytes())
    del contents["version.xml"]
    assert {len(each) for each in contents.values()} == {1}
    cards = [name for name in contents if name.endswith(".card.json")]
    assert len(cards) == 2  # what only tells people makes no card of its own, a temperature does


def test_names_of_files_are_safe_in_a_shell(project: Project, tmp_path: Path) -> None:
    """The project's update_versions copies them by one, unquoted."""
    (place,) = laid(project, [frozen(tmp_path)], [other(SHIPPED[0], "ours; rm -rf $HOME")])
    assert all(set(path.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for path in place.iterdir())


def test_all_programs_get_one_number_that_counts_up(project: Project, tmp_path: Path) -> None:
    programs = [frozen(tmp_path), frozen(tmp_path, f"{LINUX}__avx2"), frozen(tmp_path, WINDOWS)]
    assert [
        place.relative_to(project.root / "apps" / "crystal_search").as_posix() for place in laid(project, programs)
    ] == [
        f"0.01/{LINUX}",
        f"0.01/{LINUX}__avx2",
        f"0.01/{WINDOWS}",
    ]
    assert [place.parent.name for place in laid(project, programs)] == ["0.01"] * 3  # nothing is new
    newer = [frozen(tmp_path, content="second"), frozen(tmp_path, WINDOWS, content="second")]
    assert [place.parent.name for place in laid(project, newer)] == ["0.02"] * 2
    assert laid(project, [frozen(tmp_path, f"{LINUX}__avx2", "second")])[0].parent.name == "0.03"


def test_a_number_that_is_there_is_refused(project: Project, tmp_path: Path) -> None:
    programs = [program_at(frozen(tmp_path))]
    assert stage(project, programs, SHIPPED, number=150)[0].number == 150
    with pytest.raises(UserError, match="there already"):
        stage(project, programs, SHIPPED, number=150)
    assert stage(project, [program_at(frozen(tmp_path, content="second"))], SHIPPED, highest=200)[0].number == 201


def test_a_zip_of_a_frozen_folder_becomes_a_file_for_each_member(project: Project, tmp_path: Path) -> None:
    (place,) = laid(project, [frozen(tmp_path, WINDOWS)])
    assert place.name == WINDOWS
    files = {
        each.findtext("logical_name"): (str(each.findtext("physical_name")), each.find("main_program") is not None)
        for each in described(place)
    }
    assert (place / files["lib/a/init.pyc"][0]).read_bytes() == b"one"
    assert (place / files["lib/b/init.pyc"][0]).read_bytes() == b"two"
    assert [name for name, (_, main_program) in files.items() if main_program] == ["crystal-search-client.exe"]
    bad = tmp_path / "crystal-search-client_0.1.1_windows_x86_64.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("readme", b"")
    with pytest.raises(UserError, match=r"holds no crystal-search-client\.exe"):
        program_at(bad)


def test_what_is_no_frozen_client_is_refused(tmp_path: Path) -> None:
    (tmp_path / "client").touch()
    with pytest.raises(UserError, match="make freeze"):
        program_at(tmp_path / "client")


def test_programs_that_are_staged_are_signed_and_live(project: Project, tmp_path: Path) -> None:
    programs = [frozen(tmp_path), frozen(tmp_path, WINDOWS)]
    assert supply(project, Server(project), SHIPPED, programs) == [
        f"version 0.01 for {WINDOWS} is live",
        f"version 0.01 for {LINUX} is live",
    ]
    stock = Stock.of(versions_of(project), [default_models_folder()])
    assert stock.trouble(references(SHIPPED)) == ""


def test_a_new_model_goes_with_the_programs_that_are_live_to_every_platform(project: Project, tmp_path: Path) -> None:
    supply(project, Server(project), SHIPPED, [frozen(tmp_path), frozen(tmp_path, f"{LINUX}__avx2")])
    supply(project, Server(project), SHIPPED, [frozen(tmp_path, WINDOWS)])
    before = {each.platform: each.files for each in versions_of(project)}
    new = other(SHIPPED[0])
    supply(project, Server(project), [*SHIPPED, new])
    after = {each.platform: each.files for each in versions_of(project)}
    assert {each.number for each in versions_of(project)} == {3}
    assert {platform: files - before[platform] for platform, files in after.items()} == dict.fromkeys(
        (LINUX, f"{LINUX}__avx2", WINDOWS), VolunteersModel.of(new.card).file_names
    )
    supply(project, Server(project), SHIPPED)  # the new one is not needed: nothing is staged for that
    assert {each.number for each in versions_of(project)} == {3}


def test_a_new_program_for_one_platform_leaves_the_others_alone(project: Project, tmp_path: Path) -> None:
    supply(project, Server(project), SHIPPED, [frozen(tmp_path), frozen(tmp_path, WINDOWS)])
    supply(project, Server(project), SHIPPED, [frozen(tmp_path, content="second")])
    assert {each.platform: each.number for each in versions_of(project)} == {LINUX: 2, WINDOWS: 1}
    new = other(SHIPPED[0])
    supply(project, Server(project), [*SHIPPED, new], [frozen(tmp_path, content="third")])
    assert {each.platform: each.number for each in versions_of(project)} == {LINUX: 3, WINDOWS: 3}


def test_update_versions_that_ends_well_and_adds_nothing_is_told(project: Project, tmp_path: Path) -> None:
    idle = project.root / "bin" / "update_versions.idle"
    idle.touch()
    with pytest.raises(EngineError, match=rf"version 0\.01 for {LINUX} is staged, but not live; bin/update_versions"):
        supply(project, Server(project), SHIPPED, [frozen(tmp_path)])
    idle.unlink()
    assert supply(project, Server(project), SHIPPED, [frozen(tmp_path)]) == [f"version 0.01 for {LINUX} is live"]


def test_where_keys_are_elsewhere_it_is_told_what_remains(project: Project, tmp_path: Path) -> None:
    (said,) = supply(project, Server(project), SHIPPED, [frozen(tmp_path)], update=False)
    assert said.startswith(f"version 0.01 for {LINUX} is staged; to have it live, sign its files where the key is")
    assert said.endswith(f"cd {project.root} && bin/update_versions --noconfirm")
    assert versions_of(project) == []
    (place_of(project, 1, LINUX) / "signed.sig").touch()
    supply(project, Server(project), SHIPPED, [frozen(tmp_path)])
    assert [each.number for each in versions_of(project)] == [1]


def test_what_was_withdrawn_is_staged_under_another_number(project: Project, tmp_path: Path) -> None:
    new = other(SHIPPED[0])
    supply(project, Server(project), SHIPPED, [frozen(tmp_path)])
    supply(project, Server(project), [*SHIPPED, new])
    (project.root / "withdrawn-2").touch()  # deprecated, on BOINC's page of administration
    assert [each.number for each in versions_of(project)] == [1]
    assert supply(project, Server(project), [*SHIPPED, new]) == [f"version 0.03 for {LINUX} is live"]


def test_without_a_program_there_is_nothing_to_stage_again(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name the PROGRAM that make freeze has made"):
        supply(project, Server(project), SHIPPED)
    supply(project, Server(project), SHIPPED, [frozen(tmp_path)])
    (place_of(project, 1, LINUX) / "version.xml").unlink()
    with pytest.raises(UserError, match=rf"the program of version 0\.01 for {LINUX} cannot be staged again"):
        supply(project, Server(project), [*SHIPPED, other(SHIPPED[0])])


def test_a_model_is_live_when_every_version_brings_file_and_card() -> None:
    card = default_model(ClassifierCard).card
    ref = ModelRef(role="classifier", name=card.name, sha256=card.sha256)
    names = VolunteersModel.of(card).file_names
    whole = AppVersion(number=3, platform=LINUX, files=names | {"program"})
    bare = AppVersion(number=102, platform=WINDOWS, files=frozenset({"program.exe"}))
    known = {card.sha256: names}
    assert Stock([whole], known).trouble([ref]) == ""
    assert Stock([], known).trouble([ref]) == "no version of the program is live: crystal-search boinc stage PROGRAM"
    assert (
        Stock([whole, bare], known).trouble([ref])
        == f"version 1.02 for {WINDOWS} does not bring {card.name}: crystal-search boinc stage"
    )
    assert "is not among the models here" in Stock([whole], {}).trouble([ref])
    recalibrated = VolunteersModel.of(replace(card, temperature=3.0)).file_names
    assert "does not bring" in Stock([whole], {card.sha256: recalibrated}).trouble([ref])


def test_the_command_stages_signs_and_tells(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoincDatabase, "versions", lambda _: versions_of(project))
    monkeypatch.setattr(BoincDatabase, "highest_version", lambda _: Server(project).highest_version())
    programs = [str(frozen(tmp_path)), str(frozen(tmp_path, WINDOWS))]
    home = tmp_path / "home"
    home.mkdir()
    assert main(["boinc", "stage", *programs, "--home", str(home)]) == 2
    assert "boinc_project" in capsys.readouterr().err
    (home / "settings.toml").write_text(f'engine = "boinc"\nboinc_project = "{project.root}"\n')
    assert main(["boinc", "stage", *programs, "--no-update", "--home", str(home)]) == 0
    assert capsys.readouterr().out.count("bin/update_versions --noconfirm") == 2
    assert main(["boinc", "stage", *programs, "--home", str(home)]) == 0
    assert capsys.readouterr().out == f"version 0.01 for {WINDOWS} is live\nversion 0.01 for {LINUX} is live\n"
    assert main(["boinc", "stage", "--home", str(home)]) == 0
