"""Which models and settings count: those of an installation, which is read once a command, else the program's own."""

import argparse
from pathlib import Path

import pytest
from PIL import Image as Pillow

from crystal_search.direct import score_command
from crystal_search.direct.as_installed import Installed, as_installed
from crystal_search.direct.python_interface import load
from crystal_search.errors import ConfigError, UserError
from crystal_search.exit_codes import OK
from crystal_search.images import picture_file
from crystal_search.main import main
from crystal_search.model import IN_USE, default_models_folder
from crystal_search.server import settings as settings_module
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings
from tests.unit.test_classify import well_image


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").made()


@pytest.fixture
def settings_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that grows by a file each time that settings are read."""
    read, whole = [], settings_module.read_toml

    def counting(path: Path, *others: object) -> object:
        read.append(path)
        return whole(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(settings_module, "read_toml", counting)
    return read


def test_without_an_installation_the_program_s_own_count(tmp_path: Path) -> None:
    assert as_installed() == Installed(models=default_models_folder(), settings=Settings(), called_in=())
    assert as_installed(models=tmp_path) == Installed(models=tmp_path, called_in=(tmp_path,))


def test_models_put_to_use_and_settings_are_those_of_the_installation(home: Home, tmp_path: Path) -> None:
    assert as_installed(home.path).models == default_models_folder()
    home.models.mkdir()
    (home.models / IN_USE).write_text("{}")
    assert as_installed(home.path).models == home.models
    home.settings.write_text('models = "ours"\nthreshold = 0.7\n')
    installed = as_installed(home.path)
    assert (installed.models, installed.settings.threshold) == (home.path / "ours", 0.7)
    assert installed.called_in == (home.models, home.path / "ours")
    instead = as_installed(home.path, models=tmp_path)
    assert (instead.models, instead.settings.threshold) == (tmp_path, 0.7)
    assert instead.called_in == (tmp_path, *installed.called_in)


def test_what_is_no_installation_or_has_unusable_settings_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        as_installed(tmp_path / "nowhere")
    home.settings.write_text("treshold = 0.7\n")
    with pytest.raises(ConfigError, match="treshold"):
        as_installed(home.path)


@pytest.mark.parametrize(
    ("words", "threshold", "crystals_from"),
    [((), 0.7, 0.1), (("--threshold", "0.5"), 0.5, 0.1), (("--crystals-from", "0"), 0.7, 0.0)],
)
def test_files_are_scored_as_options_say_else_as_installed(
    words: tuple[str, ...], threshold: float, crystals_from: float, home: Home
) -> None:
    home.settings.write_text("threshold = 0.7\ncrystals_from = 0.1\n")
    parser = argparse.ArgumentParser()
    score_command.add_arguments(parser)
    asked = parser.parse_args(["a.jpg", "--home", str(home.path), *words])
    parameters = score_command.job_of(asked, as_installed(asked.home)).parameters
    assert (parameters.threshold, parameters.crystals_from) == (threshold, crystals_from)


def test_python_scores_as_installed(home: Home) -> None:
    home.settings.write_text("threshold = 0.7\ncrystals_from = 0.1\n")
    parameters = load(home=home.path).parameters
    assert (parameters.threshold, parameters.crystals_from) == (0.7, 0.1)
    assert load(home=home.path, threshold=0.5).parameters.threshold == 0.5


@pytest.mark.parametrize(
    "command",
    [("score", "--workers", "1"), ("crystals", "--in-drops"), ("crystals", "--detector", "dense-crystals-3")],
)
def test_a_command_reads_the_settings_once(
    command: tuple[str, ...], home: Home, settings_read: list[Path], tmp_path: Path
) -> None:
    name, *options = command
    image = tmp_path / "well.png"
    image.write_bytes(picture_file(Pillow.fromarray(well_image(drop=True).colour)))
    assert main([name, str(image), "--csv", str(tmp_path / "out.csv"), "--home", str(home.path), *options]) == OK
    assert settings_read == [home.settings]


def test_python_reads_the_settings_once(home: Home, settings_read: list[Path]) -> None:
    load(home=home.path)
    assert settings_read == [home.settings]


def test_places_to_dispense_at_lie_in_the_drop_that_the_installation_s_model_finds(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.settings.write_text('models = "ours"\n')
    image, table = tmp_path / "well.png", tmp_path / "out.csv"
    image.write_bytes(picture_file(Pillow.fromarray(well_image(drop=True).colour)))
    words = ["crystals", str(image), "--csv", str(table), "--dispense", str(tmp_path / "dispense.csv")]
    assert main([*words, "--um-per-px", "2"]) == OK
    table.unlink()
    assert main([*words, "--um-per-px", "2", "--home", str(home.path)]) != OK
    assert f"expected one drop locator in {home.path / 'ours'}, found none" in capsys.readouterr().err
    assert not table.exists()
