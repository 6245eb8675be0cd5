"""Progress bars for the way from images to scores."""

import time
from typing import Any, Self

from tqdm import tqdm

from crystal_search.server.engines.attempts import running_fractions
from crystal_search.server.engines.engine import Engine
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import EVERYTHING
from crystal_search.server.services.cycle import is_finished, keep_going, publish_scores, score_images
from crystal_search.server.services.set_autoscore import ScoresSet
from crystal_search.server.unit_states import WITH_RESULT, is_in

FORMAT = "{l_bar}{bar:30}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
LOOK_EVERY_S = 0.2


class Bar:
    """A progress bar for one step; it only ever moves on, and is not shown when there is nothing to do."""

    def __init__(self, what: str, total: int) -> None:
        self._bar: Any = tqdm(total=total, desc=f"{what:7}", bar_format=FORMAT, disable=not total)

    def add(self, images: int) -> None:
        """Move on by so many images."""
        self.reach(self._bar.n + images)

    def reach(self, done: float, total: int = 0) -> None:
        """Move on to `done` images of at least `total`."""
        self._bar.total = max(self._bar.total, total, int(done))
        self._bar.update(max(0, int(done) - self._bar.n))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def score_with_bars(site: Installation, recipe: Recipe, engine: Engine) -> ScoresSet:
    """Take everything that waits to its scores, with a bar for each step."""
    waiting = len(site.imaging.images_without_score(recipe, limit=1_000_000))
    with Bar("pack", waiting) as packing:
        last = score_images(site, recipe, engine, EVERYTHING, packed=packing.add)
    with Bar("score", images_in_work(site)[1]) as scoring:
        while not is_finished(site, last):
            keep_going(site, engine, until=time.monotonic() + LOOK_EVERY_S)
            last = score_images(site, recipe, engine, EVERYTHING)
            scoring.reach(*images_in_work(site))
    with Bar("set", round(images_in_work(site)[0])) as setting:
        scores = publish_scores(site)
        setting.add(scores.new)
    return scores


def images_in_work(site: Installation) -> tuple[float, int]:
    """Return how many images of the open work units are scored, parts of units included, and how many there are."""
    fractions, done, total = running_fractions(site.home), 0.0, 0
    for unit in site.imaging.units("open"):
        images = len(unit.image_ids)
        done += images * (1.0 if is_in(site.home, unit.name, *WITH_RESULT) else fractions.get(unit.name, 0.0))
        total += images
    return done, total
