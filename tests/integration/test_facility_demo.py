"""The played facility: from a small database to scores in it."""

import shlex
from pathlib import Path

import pytest

from crystal_search.demo import played_facility
from crystal_search.main import main

XTALTRAK = "pulled 2 images (0 known before), 1 score of people; noted 1 plate"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ispyb", ("pulled 2 images", "pushed 2 scores, 0 refused", "the facility has 8 rows of ours", " crystal 0.")),
        ("xtaltrak", (XTALTRAK, "pushed 2 scores, 0 refused", "the facility has 2 rows of ours", "ARTscore")),
    ],
)
def test_the_demo_plate_goes_there_and_back(
    kind: str,
    said: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = played_facility.demo_images
    monkeypatch.setattr(played_facility, "demo_images", lambda folder: whole(folder)[:2])
    words = ["facility", "demo", kind, "--home", str(tmp_path / "demo")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert [each for each in said if each not in told] == []
    line = next(each for each in told.splitlines() if each.startswith("to go on: "))
    assert shlex.split(line)[-4:] == ["facility", "report", "--home", str((tmp_path / "demo").absolute())]
    assert Path(shlex.split(line)[3]).is_absolute()  # it can be typed where no path leads to the program
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["facility", "push", "--home", str(tmp_path / "demo")]) == 0
    assert "pushed 0 scores, 0 refused" in capsys.readouterr().out
    assert main(["facility", "check", "--home", str(tmp_path / "demo")]) == 0


@pytest.mark.parametrize("command", ["check", "pull", "push", "report"])
def test_a_mistyped_home_is_said_and_not_made(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["facility", command, "--home", str(tmp_path / "hoem")]) == 2
    assert "there is no Crystal Search installation" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_home_is_made_for_settings_that_name_no_kind_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text('[facility]\nkind = "ispib"\nurl = "sqlite:///x"\n')
    assert main(["facility", "pull", "--home", str(tmp_path)]) == 2
    assert "choose from ispyb" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["settings.toml"]
