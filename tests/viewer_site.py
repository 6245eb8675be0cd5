"""Plates for the viewer's tests, and a client that asks the application without a network."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw
from starlette.types import ASGIApp

from crystal_search.crystal import Crystal
from crystal_search.geometry import Box
from crystal_search.outcomes import BY_NAME, GROUPS, OUTCOME_NAMES
from crystal_search.result import BestChop, DropRegion, ImageScore, RankedScore
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase, ManualScore
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.described_answers import check_described
from tests.recipes import made_by

WIDTH_PX, HEIGHT_PX = 320, 240
NOON = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
RECIPE = made_by("test-net", "c", drop="d")
DROP = DropRegion(box=Box(60, 80, 180, 240), area_fraction=0.25, outline=((60, 80), (60, 240), (180, 240), (180, 80)))


def picture(path: Path, *, shade: int = 120, size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> Path:
    """Write a grey well with a lighter drop."""
    drawing = Image.new("RGB", size, (shade, shade, shade))
    ImageDraw.Draw(drawing).ellipse([80, 60, 240, 180], fill=(200, 200, 190))
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.save(path)
    return path


def add_plate(
    imaging: ImagingDatabase,
    folder: Path,
    *,
    plate: str = "P1",
    rows: int = 2,
    columns: int = 3,
    drops: Sequence[int] = (1,),
    inspection: int = 1,
    channel: str = "visible",
) -> list[DropScores]:
    """Add a plate with a picture for every drop and return its drops."""
    new = []
    for row in range(rows):
        for column in range(columns):
            for drop in drops:
                key = WellKey(plate=plate, row=row, column=column, drop=drop, inspection=inspection, channel=channel)
                path = folder / plate / f"{inspection}-{channel}-{key.well}-{drop}.jpg"
                picture(path, shade=80 + 9 * (column % 12))
                new.append(NewImage(key=key, path=str(path), imaged_at=NOON + timedelta(days=inspection)))
    imaging.add_images(new)
    return imaging.drops(plate, inspection=inspection, channel=channel)


def auto_score(image_id: int, outcome: str, probability: float = 0.97, *, minute: int = 0) -> AutoScore:
    """Return a machine's score with all that belongs to it."""
    common: dict[str, Any] = {
        "image_id": image_id,
        "work_unit": f"unit-{image_id}-{minute}",
        "recipe": RECIPE,
        "scored_at": NOON + timedelta(minutes=minute),
    }
    if outcome == "unreadable":
        return AutoScore(**common, found=ImageScore(height_px=0, width_px=0, error="the JPEG is cut off"))
    if outcome == "no_drop":
        return AutoScore(**common, found=ImageScore(height_px=HEIGHT_PX, width_px=WIDTH_PX))
    position, group = OUTCOME_NAMES.index(outcome), BY_NAME[outcome].group
    rest = (1 - probability) / (len(OUTCOME_NAMES) - 1)
    found = ImageScore(
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        drop=DROP,
        score=RankedScore(outcome=outcome, probability=probability, above_threshold=probability >= RECIPE.threshold),
        class_probabilities=tuple(probability if at == position else rest for at in range(len(OUTCOME_NAMES))),
        group_peaks=tuple(probability if each is group else 0.1 for each in GROUPS),
        best_chops=(BestChop(box=Box(70, 90, 130, 150), outcome=outcome, probability=probability),),
    )
    return AutoScore(**common, found=found)


def crystal_at(row: float, column: float, long_px: float, short_px: float, probability: float = 0.9) -> Crystal:
    """Return a crystal that lies level."""
    top, bottom, left, right = row - short_px / 2, row + short_px / 2, column - long_px / 2, column + long_px / 2
    return Crystal(
        probability=probability,
        row=row,
        column=column,
        long_px=long_px,
        short_px=short_px,
        angle_rad=0.0,
        outline=((top, left), (top, right), (bottom, right), (bottom, left)),
    )


#: A long one, a small one on it, and one at the left border.
CRYSTALS = (crystal_at(100, 140, 80, 20, 0.93), crystal_at(100, 160, 12, 8, 0.71), crystal_at(150, 12, 24, 16, 0.6))


def crystal_score(image_id: int, crystals: tuple[Crystal, ...] | None = CRYSTALS, *, minute: int = 0) -> AutoScore:
    """Return a machine's score with crystals one by one."""
    score = auto_score(image_id, "crystal_harvestable", minute=minute)
    return replace(score, found=replace(score.found, crystals=crystals))


def hand_score(image_id: int, outcome: str, *, person: str = "Ada", minute: int = 0, comment: str = "") -> ManualScore:
    """Return a person's score."""
    at = NOON + timedelta(hours=1, minutes=minute)
    return ManualScore(image_id=image_id, person=person, scored_at=at, outcome=outcome, comment=comment)


def score_plate(imaging: ImagingDatabase, drops: Iterable[DropScores], outcomes: Sequence[str]) -> None:
    """Give the drops, one after the other, these outcomes by the machine; "" leaves one unscored."""
    pairs = zip(drops, outcomes, strict=False)
    imaging.add_auto_scores([auto_score(drop.image.id, outcome) for drop, outcome in pairs if outcome])


@dataclass(frozen=True, slots=True)
class Client:
    """Asks an application as a browser on the same machine would; answers must be as they are described."""

    app: ASGIApp
    base: str = "http://127.0.0.1:8765"
    always: Mapping[str, str] = field(default_factory=dict)  #: headers of every request

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for something; underscores in header names stand for dashes."""
        return asyncio.run(self._ask("GET", path, headers, None))

    def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        """Send something as JSON from the viewer's own page, unless the headers say otherwise."""
        own = {"content_type": "application/json", "origin": self.base}
        return asyncio.run(self._ask("POST", path, own | headers, content))

    async def _ask(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        named = dict(self.always) | {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url=self.base) as client:
            answer = await client.request(method, path, headers=named, content=content)
        check_described(answer)
        return answer
