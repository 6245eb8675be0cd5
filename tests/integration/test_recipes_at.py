"""Which recipes scored an inspection, and what each of them said."""

from dataclasses import replace

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.stored_images import FileVersion
from tests.integration.imaging_nouns import NO_DROP, OTHER_RECIPE, RECIPE, auto, key, manual, stored
from tests.recipes import by_readout


def test_each_recipe_has_its_last_score(imaging: ImagingDatabase) -> None:
    first, second, uv = (stored(imaging, where) for where in (key(), key(row=1), key(channel="uv")))
    readout = by_readout(RECIPE)
    imaging.add_auto_scores([auto(first, "unit-0", recipe=OTHER_RECIPE), auto(first), auto(second)])
    imaging.add_auto_scores([replace(auto(first, "unit-2"), found=NO_DROP), auto(first, "r", recipe=readout)])
    imaging.add_auto_scores([auto(uv, recipe=OTHER_RECIPE)])
    imaging.add_manual_score(manual(first))
    assert imaging.recipes_at("P1", inspection=1) == [OTHER_RECIPE, RECIPE, readout]
    assert imaging.recipes_at("P1", inspection=1, channel="uv") == [OTHER_RECIPE]
    assert imaging.recipes_at("P1", inspection=2) == []
    by_first = imaging.scores_by(RECIPE, "P1", inspection=1)
    assert {image: score.work_unit for image, score in by_first.items()} == {first.id: "unit-2", second.id: "unit-1"}
    assert by_first[first.id].outcome == "no_drop"
    assert imaging.scores_by(OTHER_RECIPE, "P1", inspection=1)[first.id].work_unit == "unit-0"
    assert imaging.scores_by(by_readout(OTHER_RECIPE), "P1", inspection=1) == {}


def test_scores_that_count_no_more_are_none(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.note_versions({image.id: FileVersion(sha256="a" * 64, size_bytes=1, mtime_ns=1)})
    imaging.add_auto_scores([replace(auto(image), version=FileVersion(sha256="a" * 64, size_bytes=1, mtime_ns=1))])
    imaging.note_versions({image.id: FileVersion(sha256="b" * 64, size_bytes=1, mtime_ns=2)})
    assert imaging.recipes_at("P1", inspection=1) == []
    assert imaging.scores_by(RECIPE, "P1", inspection=1) == {}
