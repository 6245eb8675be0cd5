"""When plates will be scored: what pauses, few scores and a long queue tell."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crystal_search.viewer import done_times
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.done_times import seconds_a_score
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=each) for each in seconds]


def test_scores_before_a_pause_tell_no_pace() -> None:
    year_s = 365 * 86400
    assert seconds_a_score(ago(0, *range(year_s, year_s + 50)), NOW) is None
    assert seconds_a_score(ago(*range(0, 40, 2), *range(year_s, year_s + 50)), NOW) == 2
    assert seconds_a_score(ago(*range(3600, 3700)), NOW) is None
    assert seconds_a_score([], NOW) is None


def test_the_order_of_scores_is_that_of_their_times() -> None:
    assert seconds_a_score(ago(*range(38, -2, -2)), NOW) == 2


def test_scores_of_one_moment_tell_no_pace() -> None:
    assert seconds_a_score(ago(*[0] * 50), NOW) is None


@pytest.mark.parametrize(("waiting", "is_told"), [(96, True), (500_000, True), (10**12, False)])
def test_the_list_of_plates_is_shown_however_many_images_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int, is_told: bool
) -> None:
    imaging = MemoryImaging()
    add_plate(imaging, tmp_path, plate="P1", rows=1, columns=1)
    now = datetime.now(UTC)
    times = [now - timedelta(seconds=each) for each in range(done_times.LEAST)]
    monkeypatch.setattr(imaging, "last_scored", lambda _: times)
    monkeypatch.setattr(imaging, "scored_until", lambda _: {"P1": waiting})
    answer = Client(viewer_app(imaging, tmp_path / "thumbnails")).get("/api/plates").json()
    assert (answer["plates"][0]["done_at"] is not None) is is_told
