"""Laws of every imaging database, over made-up plates; each example works on plates of its own."""

import random
import uuid
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase, ManualScore
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.integration.imaging_nouns import RECIPE, auto, manual, new_image

#: The database is shared by all examples on purpose: that it is never emptied is part of the law.
shared = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

wells = st.builds(
    WellKey,
    plate=st.sampled_from("AB"),
    row=st.integers(0, 31),
    column=st.integers(0, 47),
    drop=st.integers(1, 3),
    inspection=st.integers(1, 3),
    channel=st.sampled_from(("visible", "uv")),
)
plates = st.lists(wells, min_size=1, max_size=12, unique=True)


def renamed(wells: Sequence[WellKey]) -> list[NewImage]:
    """Return images of these wells on plates that no other example has."""
    prefix = uuid.uuid4().hex
    return [
        new_image(
            WellKey(
                plate=prefix + well.plate,
                row=well.row,
                column=well.column,
                drop=well.drop,
                inspection=well.inspection,
                channel=well.channel,
            )
        )
        for well in wells
    ]


def everything(database: ImagingDatabase, images: Sequence[NewImage]) -> list[DropScores]:
    views = sorted({(image.key.plate, image.key.inspection, image.key.channel) for image in images})
    return [
        drop for plate, number, channel in views for drop in database.drops(plate, inspection=number, channel=channel)
    ]


@shared
@given(wells=plates)
def test_adding_twice_adds_nothing(imaging: ImagingDatabase, wells: list[WellKey]) -> None:
    images = renamed(wells)
    first = imaging.add_images(images)
    before = everything(imaging, images)
    second = imaging.add_images(images)
    assert (first.added, second.added, second.known) == (len(images), 0, len(images))
    assert first.conflicts == second.conflicts == ()
    assert everything(imaging, images) == before


@shared
@given(wells=plates, seed=st.integers(0, 10**6))
def test_the_order_of_adding_does_not_matter(imaging: ImagingDatabase, wells: list[WellKey], seed: int) -> None:
    one, other = renamed(wells), renamed(wells)
    random.Random(seed).shuffle(other)
    imaging.add_images(one)
    for image in other:
        imaging.add_images([image])
    shown = [
        [
            (drop.image.key.inspection, drop.image.key.channel, drop.image.key.well, drop.image.key.drop)
            for drop in drops
        ]
        for drops in (everything(imaging, one), everything(imaging, other))
    ]
    assert shown[0] == shown[1]
    assert len(shown[0]) == len(wells)


@shared
@given(
    wells=plates,
    steps=st.lists(st.tuples(st.sampled_from("am"), st.integers(0, 11), st.integers(0, 3)), min_size=1, max_size=12),
)
def test_the_ledger_only_grows_and_keeps_every_person(
    imaging: ImagingDatabase, wells: list[WellKey], steps: list[tuple[str, int, int]]
) -> None:
    images = renamed(wells)
    imaging.add_images(images)
    ids = [image for plate in sorted({image.key.plate for image in images}) for image in imaging.plate_images(plate)]
    for number, (kind, which, hours) in enumerate(steps):
        image = ids[which % len(ids)]
        before = imaging.ledger(image.id)
        if kind == "a":
            imaging.add_auto_scores([auto(image, f"unit-{hours}", hours=hours)])
        else:
            imaging.add_manual_score(manual(image, f"person-{number}", hours=hours))
        after = imaging.ledger(image.id)
        assert [score for score in after if score in before] == before
        assert len(after) - len(before) in ((0, 1) if kind == "a" else (1,))
    for drop in everything(imaging, images):
        people = [score for score in imaging.ledger(drop.image.id) if isinstance(score, ManualScore)]
        assert drop.manual == (people[-1] if people else None)


@shared
@given(wells=plates, scored=st.sets(st.integers(0, 11)))
def test_every_visible_image_waits_or_is_scored(
    imaging: ImagingDatabase, wells: list[WellKey], scored: set[int]
) -> None:
    images = renamed(wells)
    imaging.add_images(images)
    names = sorted({image.key.plate for image in images})
    visible = [image for name in names for image in imaging.plate_images(name) if image.key.channel == "visible"]
    done = [image for number, image in enumerate(visible) if number in scored]
    imaging.add_auto_scores([auto(image) for image in done])
    waiting = [image for name in names for image in imaging.images_without_score(RECIPE, limit=99, plate=name)]
    assert {image.id for image in waiting} | {image.id for image in done} == {image.id for image in visible}
    assert len(waiting) + len(done) == len(visible)
