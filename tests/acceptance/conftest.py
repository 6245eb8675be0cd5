"""What the tests on a real BOINC server share."""

from collections.abc import Iterator

import pytest

from tests.boinc_place import FROZEN, ROOT, Place, made_place


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One installation for all tests; at the end, each image that they added has one score, of what it shows."""
    if not ROOT:
        pytest.skip("no BOINC server: name its folder in CRYSTAL_SEARCH_BOINC_PROJECT")
    if not FROZEN:
        pytest.skip("no program for volunteers: make freeze")
    folder = tmp_path_factory.mktemp("boinc")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    place = made_place(folder)
    yield place
    if request.session.testsfailed:
        return
    unscored = [image for image in place.added if not place.scores(image)]
    place.until_scored(unscored)
    outcomes = place.outcomes()
    place.site.imaging.close()
    assert {count for count, _ in outcomes} <= {1}, outcomes
    assert "unreadable" not in {outcome for _, outcome in outcomes}, outcomes
