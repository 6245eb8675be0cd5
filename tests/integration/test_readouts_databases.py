"""A readout in use on every kind of imaging database: frames follow it, nothing waits for it, and they come back."""

from pathlib import Path

from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.readouts_in_use import unuse_readout, use_readout
from crystal_search.server.services.rescoring_archive import rescore_all, score_by_readouts
from crystal_search.server.services.shown_scores import shown_in
from crystal_search.server.settings import Settings
from tests.readout_site import OURS, THEIRS, add_scored, by_readouts, readout_model, shipped_score, with_picture


def frames(site: Installation, plate: str) -> list[str]:
    shown = shown_in(site.home, site.imagers)()
    drops = site.imaging.drops(plate, inspection=1, readouts=shown.hashes)
    return [drop.current.outcome if (drop := shown.of(each)).current else "" for each in drops]


def test_frames_follow_a_readout_and_come_back(imaging: ImagingDatabase, tmp_path: Path) -> None:
    site = Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=imaging)
    ours = add_scored(site, "P1", [2.0, -2.0, 2.0])
    add_scored(site, "P2", [2.0], imager=THEIRS)
    use_readout(site, readout_model(tmp_path))
    assert sum(block.new for block in rescore_all(site, at_a_time=2)) == 3
    assert frames(site, "P1") == ["crystal_harvestable", "precipitate", "crystal_harvestable"]
    assert frames(site, "P2") == ["clear"]
    changed = with_picture(site, ours[0], "another")
    assert frames(site, "P1")[0] == ""
    assert [image.id for image in imaging.images_without_score(recipe_of(site), limit=9)] == [ours[0]]
    new = shipped_score(site, changed, -2.0, unit="unit-2")
    imaging.add_auto_scores([new])
    assert score_by_readouts(site, [new], {changed.id: changed}) == 1
    assert frames(site, "P1") == ["precipitate", "precipitate", "crystal_harvestable"]
    assert imaging.images_without_score(recipe_of(site), limit=9) == []
    unuse_readout(site, OURS)
    assert frames(site, "P1") == ["clear", "clear", "clear"]
    assert [len(by_readouts(site, each)) for each in ours] == [2, 1, 1]
