"""The command that says how many imagers a machine keeps up with."""

import json
import os
from pathlib import Path

import pytest

from crystal_search.direct import benchmark_command as benchmark
from crystal_search.direct.benchmark_command import Found, imagers, measured, report, sentence
from crystal_search.errors import UserError
from crystal_search.images import decode
from crystal_search.main import main
from crystal_search.model import default_models_folder

QUIET = Found(
    model="squeezenet-wells-1",
    wells=286,
    seconds=20.0,
    processes=2,
    processors=2,
    wells_per_second=14.3,
    cpu_seconds_per_well=0.139,
    processor_share=0.99,
    load_before=0.2,
)


def spoilt(**changes: object) -> Found:
    return Found(**{name: getattr(QUIET, name) for name in QUIET.__slots__} | changes)


@pytest.mark.parametrize(
    ("rate", "ending"),
    [
        (
            14.3,
            "14.3 wells per second. It keeps up with 232 imagers that deliver a well every 16.25 s, "
            "or 74 at one every 5.19 s.",
        ),
        (
            0.2,
            "a well every 5.0 s. It keeps up with 3 imagers that deliver a well every 16.25 s, "
            "or 1 at one every 5.19 s.",
        ),
        (
            0.1,
            "a well every 10.0 s. It keeps up with one imager that delivers a well every 16.25 s, "
            "but not with one at a well every 5.19 s.",
        ),
        (0.05, "a well every 20.0 s. It does not keep up with one imager that delivers a well every 16.25 s."),
    ],
)
def test_the_answer_is_a_plain_sentence(rate: float, ending: str) -> None:
    assert sentence(rate) == f"This machine scores {ending}"


def test_the_page_on_speed_quotes_what_the_command_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "speed.md").read_text(encoding="utf-8")
    quoted = " ".join(line.removeprefix("> ") for line in page.splitlines() if line.startswith("> "))
    assert quoted == sentence(13.61)


def test_an_imager_is_kept_up_with_only_in_whole() -> None:
    assert [imagers(rate, 10) for rate in (0.0999, 0.1, 0.1999, 0.2)] == [0, 1, 1, 2]


def test_a_machine_with_other_work_is_called_so() -> None:
    assert "not quiet" not in report(QUIET)
    assert "load average before: 1.9" in report(spoilt(load_before=1.9))
    assert "55% of a processor" in report(spoilt(processor_share=0.55))
    assert "not quiet" not in report(spoilt(processor_share=0.5, processes=4))  # they shared among themselves
    assert "not quiet" not in report(spoilt(load_before=None))


def test_the_wells_are_as_large_as_a_camera_s() -> None:
    wells = benchmark.wells()
    image = decode(wells[0], at_least_width_px=1224)
    assert (image.width_px, image.height_px) == (2452, 2056)
    assert len({*wells}) == 12


def test_the_command_measures_with_real_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--seconds", "0.3", "--processes", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["processes"] == 2
    assert found["wells"] >= 2
    assert found["seconds"] >= 0.3
    assert found["wells_per_second"] >= 0.999 * found["wells"] / found["seconds"]  # the slowest's time is named
    assert found["imagers_at_16_25_s"] == int(found["wells_per_second"] * 16.25)
    assert 0.01 < found["cpu_seconds_per_well"] < 10


def killed(number: int, seconds: float) -> None:
    os._exit(9)


def test_a_killed_process_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_work", killed)
    with pytest.raises(UserError, match="fewer --processes"):
        measured(default_models_folder(), processes=1, seconds=0.1)


def test_a_folder_without_models_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--models", str(tmp_path)]) == 1
    assert "expected one classifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--seconds", "0", "from 0.1 to 3600 seconds"),
        ("--seconds", "nan", "from 0.1 to 3600 seconds"),
        ("--seconds", "x", "from 0.1 to 3600 seconds"),
        ("--processes", "0", "a whole number from 1 to 1024"),
        ("--processes", "x", "a whole number from 1 to 1024"),
    ],
)
def test_impossible_numbers_are_refused_with_what_is_possible(
    option: str, value: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["benchmark", option, value])
    assert f"argument {option}: must be {expected}, got {value}" in capsys.readouterr().err
