"""Settings: what may be said, and what follows from where they stand."""

import os
import sys
from pathlib import Path

import pytest

from crystal_search.errors import ConfigError
from crystal_search.server.installation import opened
from crystal_search.server.settings import Settings, read_settings


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say which processors may be used")
def test_only_processors_that_may_be_used_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7})
    assert Settings().worker_count == 3
    assert Settings(workers=9).worker_count == 9


@pytest.mark.parametrize("text", ["a = " + 5000 * "[", "workers = 0x" + 5000 * "f", "workers = 1 = 2", "\xff"])
def test_whatever_stands_in_a_file_of_settings_it_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"settings\.toml: "):
        read_settings(path)


@pytest.mark.parametrize("name", ["what?", "100%20 #1", "a b;c&d=e"])
def test_a_home_may_be_called_anything(tmp_path: Path, name: str) -> None:
    with opened(tmp_path / name) as site:
        assert site.imaging.plates() == []
    assert (tmp_path / name / "imaging.sqlite").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_models_lie_beside_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('models = "mine"')
    assert read_settings(path).models == str(tmp_path / "mine")
    path.write_text('models = "/opt/models"')
    assert read_settings(path).models == "/opt/models"
    path.write_text('models = ""')
    assert read_settings(path).models == ""


def test_yes_and_no_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("overlays = false")
    assert read_settings(path) == Settings(overlays=False)
    for spoiled in ("overlays = 0", "workers = true", 'overlays = "no"'):
        path.write_text(spoiled)
        with pytest.raises(ConfigError, match="must be like"):
            read_settings(path)


@pytest.mark.parametrize(
    ("url", "mode", "warned"),
    [
        ("postgresql://cs:secret@host/db", 0o644, True),
        ("postgresql://host/db?user=cs&password=secret", 0o604, True),
        ("postgresql://cs:secret@host/db", 0o640, False),
        ("postgresql://cs@host:5432/db", 0o644, False),
        ("", 0o644, False),
    ],
)
def test_a_password_that_everybody_may_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, url: str, mode: int, warned: bool
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f'database_url = "{url}"')
    path.chmod(mode)
    assert read_settings(path).database_url == url
    assert ("everybody on this machine may read it" in caplog.text) is warned
    assert "secret" not in caplog.text
