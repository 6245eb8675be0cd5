"""The way of the data as one function: every step once, in order, in one process.

`watch` and the demo repeat it; cron, systemd and a BOINC server run the same steps as commands of their own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from crystal_search.server.engines.engine import Engine
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.installation import Installation
from crystal_search.server.locks import only_service
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import EVERYTHING, Created, Order, create_work
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.rescoring_archive import rescore_some
from crystal_search.server.services.set_autoscore import ScoresSet, set_autoscores
from crystal_search.server.services.validate import Validated, validate
from crystal_search.server.unit_states import CANONICAL, State, is_in, names_in, newest_first

COUNTED = 200  #: inspections at which crystals are counted anew in a pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass from images to assimilated results did."""

    created: Created
    validated: Validated
    assimilated: int


def cycle(site: Installation, recipe: Recipe, engine: Engine, order: Order = EVERYTHING) -> tuple[Pass, ScoresSet]:
    """Take every step from new images to scores in the ledger once, without waiting for clients.

    Raises
    ------
    EngineError
        If the engine needs repair; what it returned before goes its way all the same.
    """
    try:
        done = score_images(site, recipe, engine, order)
    finally:
        scores = publish_scores(site)
    return done, scores


def score_images(
    site: Installation,
    recipe: Recipe,
    engine: Engine,
    order: Order = EVERYTHING,
    *,
    packed: Callable[[int], None] = lambda images: None,
) -> Pass:
    """Pack new images, keep the engine going, check and take over what it returned."""
    try:
        with only_service(site.home):
            created = create_work(site, recipe, order, packed=packed)
        engine.submit(newest_first(site.home))
        engine.step()
    finally:  # what came back goes on, and leaves the queue, though nothing more fits on the disk
        with only_service(site.home):
            validated = validate(site.home)
            assimilated = assimilate(site)
    return Pass(created=created, validated=validated, assimilated=assimilated)


def publish_scores(site: Installation) -> ScoresSet:
    """Write the CSV file of what was assimilated, put its scores into the ledger, and rescore some of the archive.

    What changed by that is counted here, so that it is not left to whoever looks at plates.
    """
    with only_service(site.home):
        finalize(site)
        scores = set_autoscores(site)
    rescore_some(site)
    site.imaging.count_crystals(COUNTED)
    return scores


def keep_going(site: Installation, engine: Engine, *, until: float) -> None:
    """Keep the engine going until `until` on the monotonic clock, or until a result is back."""
    while time.monotonic() < until and not names_in(site.home, State.RETURNED):
        time.sleep(site.engine.pause_s)
        engine.step()


def is_finished(site: Installation, last: Pass) -> bool:
    """Tell whether `last` found nothing to pack and no work unit waits for a result that could come."""
    if last.created.units or last.created.again:
        return False
    return all(is_in(site.home, name, *CANONICAL) for name in site.imaging.unit_recipes("open"))
