"""Settings: what may be said, and what follows from where they stand."""

import os
import sys

import pytest

from crystal_search.server.settings import Settings


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say which processors may be used")
def test_only_processors_that_may_be_used_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7})
    assert Settings().worker_count == 3
    assert Settings(workers=9).worker_count == 9
