"""The client as a process, on real work units, with the models that come with the package."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystal_search.client.program import CHECKPOINT, score_work_unit
from crystal_search.images import decode
from crystal_search.model import ModelRef, default_models, default_models_folder, references, sha256_of
from crystal_search.result import Result
from crystal_search.result_reader import read_result
from crystal_search.work_unit import MANIFEST, Parameters, WorkUnit, read_work_unit, write_work_unit
from tests.integration.pictures import encoded, well


def models() -> tuple[ModelRef, ...]:
    return references(default_models(default_models_folder()))


def packed(path: Path, contents: list[bytes], named: tuple[ModelRef, ...] | None = None) -> WorkUnit:
    images = [(str(number), ".jpg", data) for number, data in enumerate(contents)]
    parameters = Parameters(no_drop="whole_image")
    return write_work_unit(path, name="unit", models=named or models(), parameters=parameters, images=images)


def command(unit: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "crystal_search.client", str(unit), "--out", str(out), *more]


def client(unit: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(unit, out, *more), capture_output=True, text=True, check=False, timeout=120)


def without_times(result: Result) -> Result:
    return replace(result, images=tuple(replace(each, score=replace(each.score, seconds={})) for each in result.images))


def test_a_work_unit_becomes_a_result_with_frames(tmp_path: Path) -> None:
    contents = [encoded(well()), b"no image", encoded(well(height=1028, width=1226, seed=1))]
    unit = packed(tmp_path / "unit.zip", contents)
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    result = read_result(tmp_path / "out" / "result.json", unit)
    first, broken, last = result.images
    assert broken.score.outcome == "unreadable"
    assert "no JPEG" in str(broken.score.error)
    assert (last.score.height_px, last.score.width_px) == (1028, 1226)
    assert first.score.score is not None
    assert first.overlay is not None
    assert decode((tmp_path / "out" / first.overlay.file).read_bytes()).width_px > 100
    assert (tmp_path / "out" / "fraction_done").read_text().strip() == "1.0000"


def test_killed_in_the_middle_it_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    contents = [encoded(well(seed=seed)) for seed in range(6)]
    unit = packed(tmp_path / "unit.zip", contents)
    assert client(tmp_path / "unit.zip", tmp_path / "whole").returncode == 0
    checkpoint = tmp_path / "out" / CHECKPOINT
    with subprocess.Popen(command(tmp_path / "unit.zip", tmp_path / "out")) as process:
        while not checkpoint.exists() or checkpoint.read_text().count("\n") < 3:
            time.sleep(0.01)
            assert process.poll() is None or checkpoint.read_text().count("\n") >= 3
        process.send_signal(signal.SIGKILL)
    done_before = checkpoint.read_text().count("\n") - 1
    with checkpoint.open("a") as file:
        file.write('{"id": "half a li')
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    assert checkpoint.read_text().count("\n") == len(contents) + 1
    assert done_before >= 2
    found, expected = (read_result(tmp_path / name / "result.json", unit) for name in ("out", "whole"))
    assert without_times(found) == without_times(expected)


def test_a_checkpoint_of_another_work_unit_is_not_used(tmp_path: Path) -> None:
    packed(tmp_path / "unit.zip", [encoded(well())])
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    other = packed(tmp_path / "unit.zip", [encoded(well(seed=5))])
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    assert read_result(tmp_path / "out" / "result.json", other)


@pytest.mark.parametrize("left", [None, b"", b"half a pic"])
def test_an_image_whose_overlay_is_lost_or_cut_off_is_scored_again(tmp_path: Path, left: bytes | None) -> None:
    packed(tmp_path / "unit.zip", [encoded(well()), encoded(well(seed=1))])
    out, folders = tmp_path / "out", [default_models_folder()]
    score_work_unit(tmp_path / "unit.zip", out, folders)
    overlay = out / "overlays" / "0001.jpg"
    whole = overlay.read_bytes()
    overlay.unlink() if left is None else overlay.write_bytes(left)
    (out / "result.json").unlink()
    again = score_work_unit(tmp_path / "unit.zip", out, folders)
    assert overlay.read_bytes() == whole
    for each in again.images:
        assert each.overlay is not None
        assert sha256_of((out / each.overlay.file).read_bytes()) == each.overlay.sha256


def first_version(path: Path) -> None:
    """Write the work unit at `path` anew as version 1 had it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(members[MANIFEST])
    hashes = {f"{model['role']}_sha256": model["sha256"] for model in content.pop("models")}
    members[MANIFEST] = json.dumps(content | {"version": 1} | hashes).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_unit_of_version_1_is_scored_as_well(tmp_path: Path) -> None:
    unit = packed(tmp_path / "unit.zip", [encoded(well())])
    first_version(tmp_path / "unit.zip")
    assert read_work_unit(tmp_path / "unit.zip") == unit
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    assert read_result(tmp_path / "out" / "result.json", unit).models == unit.models


def test_each_fault_has_its_exit_code(tmp_path: Path) -> None:
    classifier, drop = models()
    packed(tmp_path / "unit.zip", [encoded(well())])
    (tmp_path / "broken.zip").write_bytes((tmp_path / "unit.zip").read_bytes()[:500])
    packed(tmp_path / "stranger.zip", [encoded(well())], (replace(classifier, sha256="0" * 64), drop))
    swapped = (replace(classifier, sha256=drop.sha256), replace(drop, sha256=classifier.sha256))
    packed(tmp_path / "swapped.zip", [encoded(well())], swapped)
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "out"
    assert client(tmp_path / "broken.zip", out).returncode == 3
    assert client(tmp_path / "none.zip", out).returncode == 3
    assert client(tmp_path / "stranger.zip", out).returncode == 4
    assert client(tmp_path / "swapped.zip", out).returncode == 4
    assert client(tmp_path / "unit.zip", out, "--models", str(tmp_path)).returncode == 4
    assert client(tmp_path / "unit.zip", tmp_path / "file").returncode == 1
    assert client(tmp_path / "unit.zip", out, "--sing").returncode == 2
    assert not (out / "result.json").exists()


def test_a_model_file_that_is_not_the_card_s_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "unit.zip", [encoded(well())])
    folder = tmp_path / "models"
    folder.mkdir()
    for path in default_models_folder().iterdir():
        (folder / path.name).write_bytes(path.read_bytes() + (b"\0" if path.suffix == ".onnx" else b""))
    ended = client(tmp_path / "unit.zip", tmp_path / "out", "--models", str(folder))
    assert ended.returncode == 4
    assert "its card says" in ended.stderr


def test_the_client_imports_neither_torch_nor_a_database() -> None:
    code = (
        "import sys, crystal_search.client.program as p;"
        "sys.exit(sorted({'torch', 'sqlalchemy', 'starlette', 'tqdm', 'cv2'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


#: Scores a well with crystals by all models that come with the package, and names the packages that it took.
SEARCHES_A_WELL = """
import sys
from pathlib import Path
from crystal_search.client.volunteer import main
from crystal_search.demo.truth import plate_folder
from crystal_search.model import default_model, default_models, default_models_folder
from crystal_search.model_card import CrystalCard
from crystal_search.scoring.pipeline import loaded, score_data
from crystal_search.work_unit import Parameters
models = loaded([*default_models(default_models_folder()), default_model(CrystalCard)])
found, _ = score_data((plate_folder() / "demo_01D_1.jpg").read_bytes(), models, Parameters())
assert found.crystals
files = [(name, getattr(each, "__file__", None) or "") for name, each in sys.modules.items()]
taken = {name.partition(".")[0] for name, file in files if "site-packages" in file}
print(*sorted(each for each in taken if not each.startswith(("_distutils_hack", "__editable__"))))
"""


def test_a_client_that_searches_for_crystals_takes_what_every_client_takes() -> None:
    done = subprocess.run([sys.executable, "-c", SEARCHES_A_WELL], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) <= {"PIL", "numpy", "onnxruntime", "simplejpeg"}


def test_importing_any_module_does_nothing(tmp_path: Path) -> None:
    code = (
        "import crystal_search, importlib, pkgutil;"
        "[importlib.import_module(each.name) for each in pkgutil.walk_packages(crystal_search.__path__,"
        " 'crystal_search.') if not each.name.endswith('__main__')]"
    )
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (ended.stdout, ended.stderr, list(tmp_path.iterdir())) == (b"", b"", [])


@pytest.mark.parametrize("scale", [300 / 720, 2.0])
def test_a_drop_is_found_at_the_same_place_at_every_size(tmp_path: Path, scale: float) -> None:
    height, width = round(600 * scale), round(720 * scale)
    unit = packed(tmp_path / "unit.zip", [encoded(well(height=height, width=width))])
    assert client(tmp_path / "unit.zip", tmp_path / "out").returncode == 0
    drop = read_result(tmp_path / "out" / "result.json", unit).images[0].score.drop
    assert drop is not None
    expected = np.array([0.277, 0.28, 0.612, 0.68]) * width  # of the disc that `well` draws
    assert np.abs(np.array(drop.box) - expected).max() < 0.04 * width


def test_the_client_writes_nothing_into_the_user_s_folder(tmp_path: Path) -> None:
    packed(tmp_path / "unit.zip", [encoded(well())])
    (tmp_path / "user").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    subprocess.run(
        command(tmp_path / "unit.zip", tmp_path / "out"),
        env=environment | {"HOME": str(tmp_path / "user")},
        check=True,
    )
    assert not list((tmp_path / "user").iterdir())
