"""``python -m tests.fuzz``: fuzzes every target in turn, on the processors there are, and prints a table.

What reaches new code is kept in ``.fuzz/corpus`` from run to run; an input that a reader stumbles over lies in
``.fuzz/findings``, and then the exit code is 1.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crystal_search.processes import processors
from tests.fuzz.targets import CORPUS, TARGETS, inputs

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
SLOWEST_S = 60  #: that one input may take
MOST_MIB = 3000  #: of memory; a picture of the largest size takes some 1000
LEAST_LENGTH = 4096  #: bytes that an input may have; more where the corpus has larger ones
WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_/:.-]{2,40}")
MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of fuzzing one target."""

    name: str
    cpu_minutes: float
    executions: int
    kept: int  #: inputs in its corpus
    findings: tuple[Path, ...]


def fuzzed(name: str, *, cpu_s: float, work: Path) -> Fuzzed:
    """Fuzz one target in a process of its own."""
    corpus, found = work / "corpus" / name, work / "findings"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    before, log_path = set(found.glob(f"{name}-*")), work / f"{name}.log"
    words = [sys.executable, "-m", "tests.fuzz.one", name, str(cpu_s), str(corpus), str(CORPUS / name)]
    words += [
        f"-artifact_prefix={found}/{name}-",
        f"-timeout={SLOWEST_S}",
        f"-report_slow_units={SLOWEST_S}",
        f"-rss_limit_mb={MOST_MIB}",
    ]
    words += [f"-max_len={_longest(name)}", f"-dict={_dictionary(name, work)}", "-verbosity=1"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    log_text = log_path.read_text(encoding="utf-8", errors="replace")
    tried = re.findall(r"^executions (\d+)$|^#(\d+)\t", log_text, re.MULTILINE)
    findings = tuple(sorted(set(found.glob(f"{name}-*")) - before))
    if process.returncode and not findings:
        raise RuntimeError(f"{name} ended with code {process.returncode} and no finding; see {log_path}")
    cpu_minutes = (used.ru_utime + used.ru_stime) / 60
    executions = max((int(a or b) for a, b in tried), default=0)
    return Fuzzed(name, cpu_minutes, executions, sum(1 for _ in corpus.iterdir()), findings)


def _longest(name: str) -> int:
    return max(LEAST_LENGTH, *(2 * path.stat().st_size for path in inputs(name)))


def _dictionary(name: str, work: Path) -> Path:
    """Write libFuzzer's dictionary of the words in a target's corpus."""
    words = sorted({word for path in inputs(name) for word in WORD.findall(path.read_bytes())})[:MAX_WORDS]
    path = work / f"{name}.dict"
    path.write_text("".join(f'"{word.decode()}"\n' for word in words), encoding="utf-8")
    return path


def table(rows: Sequence[Fuzzed]) -> str:
    """Return what came of it, a line for each target."""
    head = f"{'target':16}{'CPU min':>9}{'executions':>13}{'kept':>7}{'findings':>10}\n"
    lines = (
        f"{row.name:16}{row.cpu_minutes:9.1f}{row.executions:13,}{row.kept:7}{len(row.findings):10}\n" for row in rows
    )
    return head + "".join(lines) + "".join(f"{path}\n" for row in rows for path in row.findings)


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz the targets that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", choices=[*TARGETS, []], default=[], metavar="TARGET", help="all by default"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time of a target (default: %(default)g)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of corpora and findings")
    parser.add_argument("--jobs", type=int, default=processors(), help="targets at a time")
    arguments = parser.parse_args(argv)
    arguments.work.mkdir(parents=True, exist_ok=True)
    one = partial(fuzzed, cpu_s=60 * arguments.minutes, work=arguments.work.absolute())
    with ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(one, arguments.targets or TARGETS))
    sys.stdout.write(table(rows))
    return 1 if any(row.findings for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
