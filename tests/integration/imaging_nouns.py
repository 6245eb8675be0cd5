"""Images, scores and work units as imaging databases keep them."""

from datetime import UTC, datetime, timedelta

from crystal_search.geometry import Box
from crystal_search.result import BestChop, DropRegion, ImageScore, RankedScore
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, ManualScore, Recipe, UnitRecord
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.wells import WellKey
from tests.recipes import made_by

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
RECIPE = made_by("wells-1")
OTHER_RECIPE = made_by("wells-2", "c", threshold=0.1 + 0.2)


FOUND = ImageScore(
    height_px=960,
    width_px=1280,
    drop=DropRegion(box=Box(0, 1, 900, 1000), area_fraction=0.4, outline=((0, 1), (900, 1), (900, 1000))),
    score=RankedScore(outcome="crystal_harvestable", probability=1 / 3, above_threshold=True),
    class_probabilities=(0.1, *[0.075] * 12),
    group_peaks=(0.9, 0.1, 1e-6, 0.0),
    best_chops=(BestChop(box=Box(1, 2, 257, 258), outcome="crystal_harvestable", probability=0.9),),
    chops=30,
    seconds={"decode": 0.01, "classify": 0.2},
)
NO_DROP = ImageScore(height_px=960, width_px=1280)


def key(plate: str = "P1", **fields: int | str) -> WellKey:
    return WellKey(**({"plate": plate, "row": 0, "column": 0} | fields))  # type: ignore[arg-type]


def new_image(where: WellKey, *, path: str = "", imaged_at: datetime | None = NOON) -> NewImage:
    name = f"/images/{where.plate}/{where.inspection}/{where.channel}/{where.well}_{where.drop}.jpg"
    return NewImage(key=where, path=path or name, imaged_at=imaged_at)


def stored(database: ImagingDatabase, where: WellKey, *, imaged_at: datetime | None = NOON) -> StoredImage:
    """Add an image and return it as the database knows it."""
    database.add_images([new_image(where, imaged_at=imaged_at)])
    return next(image for image in database.plate_images(where.plate) if image.key == where)


def auto(image: StoredImage, work_unit: str = "unit-1", *, recipe: Recipe = RECIPE, hours: float = 0) -> AutoScore:
    return AutoScore(
        image_id=image.id,
        work_unit=work_unit,
        recipe=recipe,
        scored_at=NOON + timedelta(hours=hours),
        found=FOUND,
    )


def unreadable(image: StoredImage, work_unit: str = "unit-1") -> AutoScore:
    return AutoScore(
        image_id=image.id,
        work_unit=work_unit,
        recipe=RECIPE,
        scored_at=NOON,
        found=ImageScore(height_px=0, width_px=0, error="the JPEG cannot be decoded: «…» 'quoted'\n"),
    )


def manual(image: StoredImage, person: str = "Zoë", *, outcome: str = "clear", hours: float = 0) -> ManualScore:
    return ManualScore(
        image_id=image.id,
        person=person,
        scored_at=NOON + timedelta(hours=hours),
        outcome=outcome,
        comment="look again; --'\"%(x)s",
    )


def said_last(database: ImagingDatabase, image: StoredImage) -> list[tuple[str, str]]:
    """Return who says what of an image, the last first."""
    key = image.key
    drops = database.drops(key.plate, inspection=key.inspection, channel=key.channel)
    people = next(drop.people for drop in drops if drop.image.id == image.id)
    return [(score.person, score.outcome) for score in people]


def unit(*images: StoredImage, name: str = "unit-1", recipe: Recipe = RECIPE, hours: float = 0) -> UnitRecord:
    return UnitRecord(
        name=name,
        recipe=recipe,
        image_ids=tuple(image.id for image in images),
        created_at=NOON + timedelta(hours=hours),
    )
