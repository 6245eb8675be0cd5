"""Ask a viewer that runs whatever its description allows, and what it does not: ``make fuzz-api``.

Schemathesis makes requests of `/api/openapi.json`, and compares every answer with it. It has an environment of its own,
for it brings its own pytest.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.server.home import Home
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.settings import Settings
from crystal_search.viewer.drop_walk import Bookmark
from tests.viewer_site import NOON, add_plate, hand_score, score_plate

PLATES = ("P1", "MX-1 (b)")
#: What a description cannot say: what is a bookmark of the viewer's own, and which fields go together.
TOGETHER = ("/api/mark", "/api/messages", "/api/take-back")
SETTINGS = f"""
[[operations]]
include-path = "/api/drops"
parameters = {{ after = "{Bookmark(PLATES[0], 1).text}" }}
""" + "".join(
    f"""
[[operations]]
include-path = "{path}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429"]
"""
    for path in TOGETHER
)
SOURCE = Source(name="ispyb")
MESSAGES = """
[messages]
address = "http://127.0.0.1:8765"
smtp_host = "127.0.0.1"
smtp_port = 9
sender = "crystals@example.org"
webhook = "http://127.0.0.1:9/"
"""


def filled(folder: Path) -> Home:
    """Return an installation with plates, scores of both kinds, comments, owners and conditions."""
    home = Home(folder / "home").made()
    (home.path / "settings.toml").write_text(MESSAGES, encoding="utf-8")
    peg = Ingredient(name="PEG 3350", concentration=25.0, unit="% w/v", role="precipitant")
    with closing(open_imaging(Settings().url(home))) as imaging:
        for plate in PLATES:
            for number in (1, 2):
                drops = add_plate(imaging, folder / "images", plate=plate, rows=3, columns=4, inspection=number)
                score_plate(imaging, drops, [*OUTCOME_NAMES[:9], "no_drop", "unreadable"])
                for drop in drops[:3]:
                    imaging.add_manual_score(hand_score(drop.image.id, "clear", comment="tiny"))
                comment = Comment(image_id=drops[0].image.id, person="Ada", written_at=NOON, text="needles")
                imaging.add_comment(comment)
            add_plate(imaging, folder / "images", plate=plate, channel="uv")
            imaging.note_plates([PlateFacts(plate=plate, project="mx-1", owner="Zoë")], source=SOURCE)
            imaging.note_conditions([Condition(plate=plate, row=0, column=0, ingredients=(peg,))], source=SOURCE)
    return home


@contextmanager
def running(home: Home) -> Iterator[str]:
    """Run the viewer as people start it; yield its address."""
    command = [sys.executable, "-m", "crystal_search.main", "view", "--home", str(home.path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").removeprefix("viewer: ").strip()
        finally:
            process.terminate()


def main() -> int:
    """Fuzz for so many minutes; return what Schemathesis does, 0 where it finds nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_api", description=__doc__)
    parser.add_argument("--schemathesis", required=True, help="its program")
    parser.add_argument("--minutes", type=float, default=10.0, help="default %(default)s")
    parser.add_argument("--seed", type=int, help="of a run to be repeated")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(filled(Path(folder))) as address:
        (Path(folder) / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
        command = [
            str(Path(arguments.schemathesis).absolute()),
            "run",
            f"{address}api/openapi.json",
            "--continue-on-failure",
        ]
        command += ["--max-time", str(round(60 * arguments.minutes)), "--checks", "all", "--no-color"]
        command += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
