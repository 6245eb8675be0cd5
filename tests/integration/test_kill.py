"""Kills and faults of every kind at random moments, with the real client: nothing lost, twice, condemned or stuck."""

import sys
from pathlib import Path

import pytest

from tests.killing.campaign import campaign
from tests.killing.faults import KINDS

KILLS = 12
SEED = 20_230_817


@pytest.mark.slow
def test_kill_any_process_at_any_moment(tmp_path: Path) -> None:
    outcome = campaign("sqlite", tmp_path, kills=KILLS, seed=SEED)
    sys.stdout.write(f"{outcome}\n")
    assert outcome.wrong.all() == []
    assert outcome.kills >= KILLS
    assert outcome.killed["client"] > 0
    assert outcome.killed.keys() - {"client"}
    assert outcome.counts["images"] > 0
    missing = KINDS.keys() - outcome.happened.keys()
    if missing:
        pytest.skip(f"not tried, since only root may mount a small disk: {', '.join(missing)}")
