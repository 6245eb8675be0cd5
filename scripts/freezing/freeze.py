#!/usr/bin/env python3
"""Freeze the volunteer's program into one file under ``dist/`` (docs/volunteer-program.md).

Run by ``make freeze`` in an environment that has the client's libraries and cx_Freeze, and nothing else.
"""

import gzip
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD, DIST = ROOT / "build" / "freeze", ROOT / "dist"
PROGRAM = "crystal-search-client"
MAX_BYTES = 60_000_000

#: What the libraries bring along and a client never imports.
UNUSED_MODULES = [
    "asyncio",
    "crystal_search.archives",
    "crystal_search.datasets",
    "crystal_search.demo",
    "crystal_search.direct",
    "crystal_search.evaluation",
    "crystal_search.exporting",
    "crystal_search.networks",
    "crystal_search.old_weights",
    "crystal_search.pictures",
    "crystal_search.review",
    "crystal_search.server",
    "crystal_search.synthesis",
    "crystal_search.training",
    "crystal_search.viewer",
    "curses",
    "distutils",
    "email.mime",
    "flatbuffers",
    "google",
    "http",
    "multiprocessing",
    "numpy.f2py",
    "numpy.testing",
    "onnx",
    "onnxruntime.quantization",
    "onnxruntime.tools",
    "onnxruntime.training",
    "onnxruntime.transformers",
    "pip",
    "pydoc_data",
    "setuptools",
    "sqlite3",
    "sympy",
    "test",
    "tkinter",
    "torch",
    "tqdm",
    "unittest",
    "xmlrpc",
]
#: Files that come with used modules and are not loaded: the C library beside Python's own, test data.
UNUSED_FILES = (
    "lib/onnxruntime/capi/libonnxruntime.so.*",
    "lib/onnxruntime/capi/libonnxruntime.*.dylib",
    "lib/numpy/**/tests",
)
#: BOINC's names of platforms.
PLATFORMS = {
    ("Linux", "x86_64"): "x86_64-pc-linux-gnu",
    ("Linux", "aarch64"): "aarch64-unknown-linux-gnu",
    ("Darwin", "x86_64"): "x86_64-apple-darwin",
    ("Darwin", "arm64"): "arm64-apple-darwin",
    ("Windows", "AMD64"): "windows_x86_64",
}

#: The head of the file: it unpacks itself and starts what it has unpacked. In a slot of BOINC that stays there for the
#: next start, and the program takes the place of this one, so that signals reach it.
HEAD = """#!/bin/sh
# Crystal Search, the volunteer's program {version} for {platform}. API_VERSION_7.5.0
set -eu
unpack() {{ tail -n +{lines} "$0" | gzip -dc | tar xf - -C "$1"; }}
if [ -f init_data.xml ]; then
    if [ ! -d {program} ]; then
        rm -rf {program}.part
        mkdir {program}.part
        unpack {program}.part
        mv {program}.part {program}
    fi
    exec ./{program}/{program} "$@"
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' TERM
unpack "$folder"
"$folder/{program}" "$@" || exit $?
exit 0
"""


def main() -> None:
    """Freeze, pack, try, and tell the size."""
    target = PLATFORMS.get((platform.system(), platform.machine()))
    if target is None:
        sys.exit(f"BOINC has no name for {platform.system()} on {platform.machine()}; add it to PLATFORMS")
    sys.path.insert(0, str(ROOT))
    from crystal_search import __version__

    frozen = freeze(__version__)
    DIST.mkdir(exist_ok=True)
    name = f"{PROGRAM}_{__version__}_{target}"
    path = (
        zipped(frozen, DIST / f"{name}.zip") if platform.system() == "Windows" else packed(frozen, DIST / name, target)
    )
    check(path, frozen)
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB\n")


def freeze(version: str) -> Path:
    """Return the folder of the frozen program."""
    from cx_Freeze import Executable, setup

    folder = BUILD / PROGRAM
    shutil.rmtree(BUILD, ignore_errors=True)
    options = {
        "build_exe": str(folder),
        "packages": ["crystal_search.client"],
        "excludes": UNUSED_MODULES,
        "optimize": 2,
        "zip_include_packages": ["*"],
        "zip_exclude_packages": ["numpy", "onnxruntime", "PIL", "simplejpeg"],
    }
    setup(
        name=PROGRAM,
        version=version,
        options={"build_exe": options},
        executables=[Executable(str(ROOT / "crystal_search" / "client" / "volunteer.py"), target_name=PROGRAM)],
        script_args=["build_exe"],
    )
    for pattern in UNUSED_FILES:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    add_licences(folder / "licences")
    return folder


def add_licences(folder: Path) -> None:
    """Copy the licences of everything that is frozen."""
    from importlib.metadata import distribution

    folder.mkdir()
    shutil.copy(ROOT / "LICENSE", folder / "crystal-search.txt")
    for name in ("numpy", "onnxruntime", "pillow", "simplejpeg"):
        for file in distribution(name).files or ():
            if "licen" in file.name.lower() and file.suffix in ("", ".txt", ".md"):
                shutil.copy(str(file.locate()), folder / f"{name}-{file.name}")
    python = Path(sys.base_prefix) / "lib" / f"python3.{sys.version_info[1]}" / "LICENSE.txt"
    if python.exists():
        shutil.copy(python, folder / "python.txt")


def packed(frozen: Path, path: Path, target: str) -> Path:
    """Write the file that unpacks and starts itself."""
    from crystal_search import __version__

    head = HEAD.format(lines=HEAD.count("\n") + 1, version=__version__, platform=target, program=PROGRAM)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(head.encode())
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w|") as tar,
        ):
            tar.add(frozen, ".", filter=nobody)
    part.chmod(0o755)
    os.replace(part, path)
    return path


def nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Take out of an archive's member who made it and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def zipped(frozen: Path, path: Path) -> Path:
    """Write a zip file of the frozen folder, which the staging command takes apart into files of an app version."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(frozen.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(frozen).as_posix())
    return path


def check(path: Path, frozen: Path) -> None:
    """Start the program with an empty environment, and see that it is small."""
    program = frozen / f"{PROGRAM}.exe" if path.suffix == ".zip" else path
    environment = {} if path.suffix != ".zip" else {"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
    environment |= {"PATH": os.defpath} if os.name == "posix" else {}
    told = subprocess.run([str(program), "--version"], env=environment, capture_output=True, text=True, check=True)
    if PROGRAM not in told.stdout:
        sys.exit(f"the program says {told.stdout!r}, not its version")
    if path.stat().st_size > MAX_BYTES:
        sys.exit(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are to be downloaded")


if __name__ == "__main__":
    main()
