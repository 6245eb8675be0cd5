"""Completion in the shells that are installed here; in bash and zsh by pressing the key in a terminal, twice."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crystal_search.commands import COMMANDS
from crystal_search.completion import SCRIPTS, candidates
from crystal_search.main import main

PATIENCE_S = 60
TERMINALS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
BEGINNINGS = {"bash": "", "zsh": "autoload -Uz compinit; compinit -u -D; "}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a folder with the program as pip installs it, and a folder with a name to complete."""
    path = tmp_path / "bin" / "crystal-search"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom crystal_search.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    (tmp_path / "unmistakable").mkdir()
    return tmp_path


def after_the_key(shell: str, folder: Path, typed: str, expected: str) -> str:
    """Return what is shown once `typed` and the tabulator completed to `expected`, or time is over."""
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(folder)}
    script = folder / f"completion.{shell}"
    script.write_text(SCRIPTS[shell])
    if shell == "fish":  # it tells without a terminal
        words = ["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"]
        return subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, check=True).stdout
    terminal, other = pty.openpty()
    with subprocess.Popen(
        TERMINALS[shell], stdin=other, stdout=other, stderr=other, cwd=folder, env=environment, start_new_session=True
    ) as process:
        os.close(other)
        try:
            os.write(terminal, f"{BEGINNINGS[shell]}source {script}; echo rea''dy\n".encode())
            shown(terminal, "ready")
            os.write(terminal, f"{typed}\t\t".encode())
            return shown(terminal, expected)
        finally:
            process.kill()
            os.close(terminal)


def shown(terminal: int, expected: str) -> str:
    told, deadline = "", time.monotonic() + PATIENCE_S
    while expected not in told and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            told += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(terminal, 4096).decode(errors="replace"))
    return told


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("crystal-search set-a", "set-autoscore"),
        ("crystal-search score unmistakable --scor", "--scoring"),
        ("crystal-search score --scoring win", "windowed"),
        ("crystal-search score --no-drop ", "whole_image"),
        ("crystal-search models sh", "show"),
        ("crystal-search score unmist", "unmistakable"),
    ],
)
def test_the_key_completes(shell: str, typed: str, expected: str, program: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    assert expected in after_the_key(shell, program, typed, expected)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SCRIPTS[shell]


def test_scripts_ask_with_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "words", "--", "score", "--no-drop", ""]) == 0
    assert capsys.readouterr().out.split() == ["stop", "whole_image"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], sorted(COMMANDS)),
        (["--v"], ["--version"]),
        (["no-such-command", ""], []),
        (["score", "--csv", ""], []),
        (["score", "--scoring", "=", "d"], ["dense"]),
        (["score", "--scoring", "="], ["dense", "windowed"]),
        (["models", "--verbose", "us"], ["use"]),
        (["models", "list", "--ho"], ["--home"]),
        (["models", "use", "--as", "cl"], ["classifier"]),
        (["completion", "z"], ["zsh"]),
        (["crystals", ""], []),
        (["crystals", "sizes", "--conc"], ["--concentrations"]),
    ],
)
def test_what_the_last_word_may_become(words: list[str], expected: list[str]) -> None:
    assert candidates(words) == expected
