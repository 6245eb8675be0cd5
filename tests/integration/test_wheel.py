"""What people install: the wheel, whole, in an environment of its own."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from crystal_search import __version__

ROOT = Path(__file__).parents[2]
SOURCES = ("crystal_search", "setup.cfg", "pyproject.toml", "LICENSE", "docs/pypi.md")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built of a copy: building leaves a folder that the next build would take files from."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    build = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_everything_of_the_package_is_in_it(wheel: Path) -> None:
    tracked = ["git", "ls-files", "crystal_search", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a clone")
    there = {name for name in done.stdout.splitlines() if (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == there


def test_it_runs_without_any_other_library(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    install = ["--python", str(programs / "python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*PIP, *install], check=True, capture_output=True)
    program = programs / "crystal-search"
    for words, expected in ((["--version"], f"crystal-search {__version__}\n"), (["--help"], "  score  ")):
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert expected in done.stdout


def test_its_page_needs_nothing_beside_it(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = metadata.get_payload()
    assert isinstance(page, str)
    assert page.startswith("# Crystal Search")
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]*)\)", page))
    assert not re.search(r"<img|!\[", page)


def test_it_says_what_it_is(metadata: Message) -> None:
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(metadata.get_all("Classifier", [])))
    assert versions == ["3.11", "3.12", "3.13"]
    assert metadata["Requires-Python"] == f">={versions[0]}"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("Project-URL")
    assert metadata["Keywords"]
    light = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert not [each for each in light if re.match(r"torch|onnx\b|pandas|matplotlib", each)]
