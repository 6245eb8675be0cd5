"""A process that rescores an archive is killed at any moment: in the end a readout scored each image once."""

import random
import subprocess
import sys
import time
from pathlib import Path

from crystal_search.server.installation import opened
from crystal_search.server.readouts_in_use import use_readout
from crystal_search.server.services.rescoring_archive import rescore_all
from tests.readout_site import add_scored, by_readouts, readout_model

KILLS = 4
SEED = 7
PLATES, DROPS = 6, 30
RESCORING = """
import sys
from pathlib import Path
from tests.integration.test_rescoring_kill import rescore
rescore(Path(sys.argv[1]))
"""


def rescore(home: Path) -> None:
    """Rescore the archive in small blocks, saying so of each."""
    with opened(home) as site:
        for block in rescore_all(site, at_a_time=3):
            sys.stdout.write(f"{block.new}\n")
            sys.stdout.flush()


def test_no_score_is_lost_and_none_is_there_twice_after_kills(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(SEED)
    with opened(home) as site:
        ids = [each for at in range(PLATES) for each in add_scored(site, f"P{at}", [2.0, -2.0] * (DROPS // 2), day=at)]
        use_readout(site, readout_model(tmp_path))
    seen = 0
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", RESCORING, str(home)], stdout=subprocess.PIPE) as rescoring:
            assert rescoring.stdout
            rescoring.stdout.readline()
            time.sleep(chance.uniform(0, 0.2))
            rescoring.kill()
        with opened(home) as site:
            counts = [len(by_readouts(site, each)) for each in ids]
        assert set(counts) <= {0, 1}
        assert sum(counts) >= seen
        seen = sum(counts)
    assert seen
    rescore(home)
    with opened(home) as site:
        assert [len(by_readouts(site, each)) for each in ids] == len(ids) * [1]
        assert [block.new for block in rescore_all(site)] == []
