"""How long one new image takes through a real BOINC server and an idle real client, and where the time goes.

``python -m benchmarks.bench_boinc_latency PROJECT PROGRAM [--images N] [--hosts N]``, as the project's user: installs
into the project, stages the frozen PROGRAM, starts Debian's clients in folders of their own and ``watch`` on a scratch
folder, copies images one by one, and notes when each first stands in every place on its way. Each is looked at every
20 ms. With one host its result will do, with two they must agree. Nobody else may be attached to the project.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.bench_latency import WELLS, count, put, until, watching
from crystal_search.model import default_models, default_models_folder
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.install import install, set_replication
from crystal_search.server.engines.boinc.invitations import make_account
from crystal_search.server.engines.boinc.project import Project, read_project, spread
from crystal_search.server.engines.boinc.supplying import supply
from crystal_search.server.home import Home
from crystal_search.server.settings import read_settings

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

PREFERENCES = """<global_preferences>
<suspend_cpu_usage>0</suspend_cpu_usage><run_if_user_active>1</run_if_user_active><max_ncpus_pct>100</max_ncpus_pct>
<disk_max_used_gb>10</disk_max_used_gb><disk_min_free_gb>0</disk_min_free_gb>
</global_preferences>
"""
OPTIONS = (  # tasks have the priority of the client: it stands for a PC that is idle, on a machine that may not be
    "<cc_config><options><skip_cpu_benchmarks>1</skip_cpu_benchmarks>"
    "<no_priority_change>1</no_priority_change></options></cc_config>\n"
)
FIRST_PORT = 31_200
STEPS = {
    "imported": "ours",
    "packed and submitted": "ours",
    "tasks made": "BOINC",
    "asked for by the clients": "BOINC",
    "computed": "BOINC",
    "uploaded": "BOINC",
    "reported": "BOINC",
    "validated": "ours",
    "assimilated": "ours",
    "in the ledger": "ours",
}
PAUSE_S = (20.0, 45.0)  #: between two images, so that they meet clients at any time of their round


@dataclass(frozen=True)
class Bench:
    """One installation, its project, and the clients' folders."""

    project: Project
    home: Home
    robot: Path
    cursor: "Cursor"
    clients: list[Path]

    def one_image(self, name: str) -> list[float]:
        """Return how long each of STEPS took for one new image, in s."""
        images, scores, last = count(self.home, "image"), count(self.home, "score"), self._last_job()
        put(self.robot, name)
        times = [time.monotonic()]
        times.append(until(lambda: count(self.home, "image") > images))
        times.append(until(lambda: self._last_job() > last))
        job = self._last_job()
        times.append(until(lambda: self._least(job) > 0))
        times.append(until(lambda: self._least(job) >= 4))
        files = self._files(job)
        times.append(until(lambda: all(self._is_uploaded(file) or self._is_computed(file) for file in files)))
        times.append(until(lambda: all(map(self._is_uploaded, files))))
        times.append(until(lambda: self._least(job) == 5))
        times.append(until(lambda: self._asked("SELECT canonical_resultid FROM workunit WHERE id = %s", job) > 0))
        times.append(until(lambda: self._asked("SELECT assimilate_state FROM workunit WHERE id = %s", job) == 2))
        times.append(until(lambda: count(self.home, "score") > scores))
        return [after - before for before, after in pairwise(times)]

    def _asked(self, query: str, *values: int) -> int:
        self.cursor.execute(query, values)
        row = self.cursor.fetchone()
        return int(row[0] or 0) if row else 0

    def _last_job(self) -> int:
        return self._asked("SELECT MAX(id) FROM workunit")

    def _least(self, job: int) -> int:
        """Return the state in which the copy of a job is that is furthest behind: 2 unsent, 4 sent, 5 reported."""
        return self._asked("SELECT MIN(server_state) FROM result WHERE workunitid = %s", job)

    def _files(self, job: int) -> list[str]:
        self.cursor.execute("SELECT xml_doc_in FROM result WHERE workunitid = %s", (job,))
        texts = [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in self.cursor.fetchall()]
        return [file for text in texts for file in re.findall(r"<file_name>([^<]+)</file_name>", text)]

    def _is_computed(self, file: str) -> bool:
        return any(path for client in self.clients for path in client.glob(f"projects/*/{file}"))

    def _is_uploaded(self, file: str) -> bool:
        return (self.project.upload_dir / spread(file, self.project.fanout) / file).exists()


@contextmanager
def client(folder: Path, port: int, project: Project) -> Iterator[Path]:
    """Run Debian's client in a folder of its own, attached to the project."""
    folder.mkdir()
    (folder / "global_prefs_override.xml").write_text(PREFERENCES)
    (folder / "cc_config.xml").write_text(OPTIONS)
    (folder / "gui_rpc_auth.cfg").write_text("secret\n")
    words = ["boinc", "--dir", str(folder), "--allow_multiple_clients", "--no_gpus", "--gui_rpc_port", str(port)]
    command = ["boinccmd", "--host", f"localhost:{port}", "--passwd", "secret"]
    key = make_account(project, f"{folder.name}@lab.example", folder.name)
    with (folder / "stdout").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            until(lambda: _said([*command, "--project_attach", project.master_url, key]))
            yield folder
        finally:
            process.terminate()


def _said(words: list[str]) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def installed(root: Path, program: Path, home: Home, hosts: int) -> Project:
    """Install into the project and have it run."""
    home.made()
    home.settings.write_text(
        f'engine = "boinc"\nboinc_project = "{root}"\nboinc_replication = "{"quorum" if hosts > 1 else "none"}"\n'
    )
    settings, project = read_settings(home.settings), read_project(root)
    project.run("cancel_jobs", "1", "1000000")
    install(home, settings, take_over=True)
    set_replication(project, settings)
    supply(project, BoincDatabase(project), default_models(default_models_folder()), [program])
    project.run("stop")
    project.run("start")
    return read_project(root)


def measure(root: Path, program: Path, images: int, hosts: int) -> list[list[float]]:
    """Return the steps of so many images, one after another, of clients that have nothing else to do."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scratch.chmod(0o755)
        home, robot = Home(scratch / "home"), scratch / "robot"
        robot.mkdir()
        project = installed(root, program, home, hosts)
        folders = [scratch / f"client{number}" for number in range(hosts)]
        clients = [
            stack.enter_context(client(folder, FIRST_PORT + number, project)) for number, folder in enumerate(folders)
        ]
        stack.enter_context(watching(robot, home.path))
        bench = Bench(project, home, robot, stack.enter_context(BoincDatabase(project).cursor()), clients)
        bench.one_image(WELLS[0])  # the clients fetch program and weights first
        found = []
        for number in range(1, images + 1):
            time.sleep(random.Random(number).uniform(*PAUSE_S))
            found.append(bench.one_image(WELLS[number]))
            sys.stdout.write(f"{number}: {sum(found[-1]):.1f} s = {' + '.join(f'{each:.1f}' for each in found[-1])}\n")
            sys.stdout.flush()
        return found


def table(found: list[list[float]]) -> str:
    """Return median and extremes of each step, in s."""
    lines = [
        f"| {'s, of ' + str(len(found)) + ' images':28} | median | least | most | whose |",
        "|---|---|---|---|---|",
    ]

    def line(what: str, times: list[float], whose: str) -> str:
        return f"| {what:28} | {median(times):.1f} | {min(times):.1f} | {max(times):.1f} | {whose} |"

    lines += [line(step, list(times), STEPS[step]) for step, times in zip(STEPS, zip(*found, strict=True), strict=True)]
    for whose in ("ours", "BOINC"):
        sums = [sum(each for each, owner in zip(one, STEPS.values(), strict=True) if owner == whose) for one in found]
        lines.append(line(f"all of {whose}", sums, ""))
    return "\n".join([*lines, line("from the copy to the ledger", [sum(one) for one in found], "")])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("project", type=Path, help="folder of a BOINC project that runs")
    parser.add_argument("program", type=Path, help="what make freeze has made")
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=1, help="clients; two must agree")
    arguments = parser.parse_args()
    sys.stdout.write(table(measure(arguments.project, arguments.program, arguments.images, arguments.hosts)) + "\n")


if __name__ == "__main__":
    main()
