"""The likeliest crystals of all plates: the same in SQL as made anew of everything, whatever came."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from crystal_search.model import ModelRef
from crystal_search.result import ImageScore
from crystal_search.server.imaging import best_drops
from crystal_search.server.imaging.best_drops import BestQuery
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, Recipe
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.imaging.stored_images import FileVersion, Removal, StoredImage
from tests.integration.imaging_nouns import FOUND, NO_DROP, RECIPE, auto, key, manual, new_image, stored, unreadable

READOUT = Recipe(models=(*RECIPE.models, ModelRef(role="readout", name="ours", sha256="7" * 64)), threshold=0.5)


def found(p_crystal: float) -> ImageScore:
    return replace(FOUND, group_peaks=(p_crystal, 0.1, 0.0, 0.0))


def likely(image: StoredImage, p_crystal: float, unit: str = "unit-1", recipe: Recipe = RECIPE) -> AutoScore:
    return replace(auto(image, unit, recipe=recipe), found=found(p_crystal))


def best(imaging: ImagingDatabase, query: BestQuery | None = None) -> list[tuple[int, float, bool]]:
    return [(each.image_id, round(each.p_crystal, 6), each.seen) for each in imaging.best_images(query or BestQuery())]


def test_the_likeliest_of_all_plates_come_first(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(plate, row=row)) for plate in ("P1", "P2") for row in range(2)]
    scores = zip(images, (0.2, 0.9, 0.95, 0.1), strict=True)
    imaging.add_auto_scores(likely(image, p_crystal) for image, p_crystal in scores)
    imaging.add_auto_scores([unreadable(stored(imaging, key("P3")))])
    imaging.add_auto_scores([replace(auto(stored(imaging, key("P4"))), found=NO_DROP)])
    imaging.add_auto_scores([likely(stored(imaging, key("P5", channel="uv")), 0.99)])
    one, two, three, four = (image.id for image in images)
    assert best(imaging) == [(three, 0.95, False), (two, 0.9, False), (one, 0.2, False), (four, 0.1, False)]
    assert best(imaging, BestQuery(limit=1)) == [(three, 0.95, False), (four, 0.1, False)]


def test_unlikely_ones_of_unseen_plates_push_no_likely_one_out(imaging: ImagingDatabase) -> None:
    seen, unseen = stored(imaging, key("P1")), [stored(imaging, key("P2", row=row)) for row in range(2)]
    imaging.add_auto_scores([likely(seen, 0.9), likely(unseen[0], 0.1), likely(unseen[1], 0.2)])
    imaging.note_seen("Ada", ["P1"], at=datetime.now(UTC))
    query = BestQuery(person="Ada", least=0.2, limit=2)
    assert best(imaging, query) == [(unseen[1].id, 0.2, False), (seen.id, 0.9, True)]


def test_the_likeliest_of_some_projects_only(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(plate)) for plate in ("P1", "P2", "P3")]
    imaging.add_auto_scores(likely(image, p_crystal) for image, p_crystal in zip(images, (0.9, 0.8, 0.7), strict=True))
    facts = [PlateFacts(plate="P2", project="mx-1"), PlateFacts(plate="P3", project="other")]
    imaging.note_plates(facts, source=Source(name="ispyb"))
    assert best(imaging, BestQuery(projects=("mx-1",), limit=1)) == [(images[1].id, 0.8, False)]
    assert best(imaging, BestQuery(projects=())) == []


def test_plates_are_answered_whole_and_the_next_ones_after_them(imaging: ImagingDatabase) -> None:
    plates = [[stored(imaging, key(plate, row=row)) for row in range(3)] for plate in ("P1", "P2", "P3")]
    for number, images in enumerate(plates):
        imaging.add_auto_scores([likely(image, 0.9 - 0.1 * number - 0.2 * row) for row, image in enumerate(images)])
    imaging.note_seen("Ada", ["P1"], at=datetime.now(UTC))
    seen, first, last = ({image.id for image in images} for images in plates)

    def found(limit: int = 100, after: int = 0) -> set[int]:
        query = BestQuery(person="Ada", least=0.2, limit=limit, after=after)
        return {each for each, _, _ in best(imaging, query)}

    assert found(limit=1) == found(limit=3) == first
    assert found(limit=4) == first | last
    assert found(limit=4, after=1) == last | seen
    assert found(limit=1, after=1) == last
    assert found(after=2) == seen
    assert found(after=3) == set()


def test_plates_that_a_person_has_seen_come_last_until_they_have_news(imaging: ImagingDatabase) -> None:
    first, second = stored(imaging, key("P1")), stored(imaging, key("P2"))
    imaging.add_auto_scores([likely(first, 0.9), likely(second, 0.3)])
    assert imaging.note_seen("Ada", ["P1", "none"], at=datetime.now(UTC)) == ["P1"]
    assert best(imaging, BestQuery(person="Ada")) == [(second.id, 0.3, False), (first.id, 0.9, True)]
    assert best(imaging, BestQuery(person="Ben")) == [(first.id, 0.9, False), (second.id, 0.3, False)]
    later = stored(imaging, key("P1", row=1))
    imaging.add_auto_scores([likely(later, 0.1)])
    assert best(imaging, BestQuery(person="Ada"))[0] == (first.id, 0.9, False)


def test_news_are_first_scores_and_no_later_ones(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key("P1"))
    imaging.add_auto_scores([likely(image, 0.9)])
    since = datetime.now(UTC)
    assert imaging.last_looked("Ada") is None
    imaging.note_looked("Ada", at=since)
    imaging.note_looked("Ada", at=since - timedelta(days=1))
    assert (imaging.last_looked("Ada"), imaging.last_looked("Ben")) == (since, None)
    imaging.add_auto_scores([likely(image, 0.8, "again")])
    assert best(imaging, BestQuery(since=since)) == []
    assert best(imaging) == [(image.id, 0.8, False)]
    other = stored(imaging, key("P1", inspection=2))
    imaging.add_auto_scores([likely(other, 0.7)])
    assert best(imaging, BestQuery(since=since)) == [(other.id, 0.7, False)]


def test_scores_of_readouts_in_use_count_beside_the_shipped_ones(imaging: ImagingDatabase) -> None:
    one, other = stored(imaging, key("P1")), stored(imaging, key("P1", row=1))
    imaging.add_auto_scores([likely(one, 0.6), likely(other, 0.2)])
    imaging.add_auto_scores([likely(one, 0.1, "r", READOUT), likely(other, 0.8, "r", READOUT)])
    assert best(imaging) == [(one.id, 0.6, False), (other.id, 0.2, False)]
    assert best(imaging, BestQuery(readouts=frozenset({"7" * 64}))) == [(other.id, 0.8, False), (one.id, 0.6, False)]


def test_scores_of_images_are_read_as_with_their_plate(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(plate, row=row)) for plate in ("P1", "P2") for row in range(2)]
    imaging.add_auto_scores([likely(image, 0.6) for image in images[:3]])
    imaging.add_auto_scores([likely(images[1], 0.8, "r", READOUT)])
    imaging.add_manual_score(manual(images[2]))
    told = imaging.newest_scores([images[1].id, images[2].id, images[3].id, 10**6], readouts=["7" * 64])
    drops = [drop for plate in ("P1", "P2") for drop in imaging.drops(plate, inspection=1, readouts=["7" * 64])]
    assert told == {drop.image.id: replace(drop, comments=()) for drop in drops[1:]}


def test_the_best_are_right_after_whatever_came(imaging: ImagingDatabase) -> None:
    """Every step is compared with what the drops themselves say."""
    chance = random.Random(7)
    keys = [key(plate, row=row, inspection=number) for plate in "AB" for row in range(4) for number in (1, 2)]
    imaging.add_images([new_image(each) for each in keys])
    images = [image for plate in "AB" for image in imaging.plate_images(plate)]
    versions = [FileVersion(sha256=letter * 64, size_bytes=1, mtime_ns=1) for letter in "ab"]
    for step in range(40):
        image, act = chance.choice(images), chance.randrange(5)
        if act < 3:
            score = likely(image, round(chance.random(), 3), f"u{step}", READOUT if act == 2 else RECIPE)
            imaging.add_auto_scores([replace(score, version=chance.choice((None, *versions)))])
        elif act == 3:
            imaging.note_versions({image.id: chance.choice(versions)})
        else:
            imaging.remove_images([image.id], Removal(person="Ada", what="x", why="", removed_at=step_time(step)))
            assert image.id not in {each for each, _, _ in best(imaging)}
            imaging.add_images([new_image(image.key)])
        drops = [drop for plate in "AB" for number in (1, 2) for drop in imaging.drops(plate, inspection=number)]
        says = {drop.image.id: drop.current.found.group_peaks[0] for drop in drops if drop.current}
        assert {each: p_crystal for each, p_crystal, _ in best(imaging)} == says


def step_time(step: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=step)


def test_only_some_of_each_inspection_are_known(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key("P1", column=column)) for column in range(best_drops.KEPT + 2)]
    imaging.add_auto_scores([likely(image, 0.01 * number) for number, image in enumerate(images)])
    assert [each for each, _, _ in best(imaging)] == [image.id for image in images[:1:-1]]
