"""Bringing the queue into line with the imaging database: lost files, units set aside, models replaced."""

import logging
import re
from pathlib import Path

from crystal_search.model import cards_in, hashes_of
from crystal_search.server.folders import discard
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Recipe, UnitRecord
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.changed_files import notice_changes
from crystal_search.server.services.packing import clear_set_aside, pack, read_some, recorded
from crystal_search.server.services.postponing import Reason, put_off
from crystal_search.server.unit_states import CANONICAL, OPEN, State, is_in, move, names_in, place_of, strays, sweep

log = logging.getLogger(__name__)

STRAY = "is no work unit of this installation; it is left alone, take it away"
MARKLESS = tuple(state for state in OPEN if state is not State.RUNNING)


def reconcile(site: Installation, recipe: Recipe) -> int:
    """Make good what kills, failures, new models and changed files left; return what `recreate_lost` does."""
    sweep(site.home)
    notice_changes(site)
    resolve_failed(site)
    withdraw_outdated(site, recipe)
    return recreate_lost(site)


def strays_at(site: Installation) -> list[Path]:
    """Return what lies in the folders of open work units and is none of this installation's: it is left alone."""
    named = [(name, place_of(site.home, name, state)) for state in MARKLESS for name in names_in(site.home, state)]
    known = site.imaging.known_units({name for name, _ in named})
    return [*strays(site.home), *(path for name, path in named if name not in known)]


def resolve_failed(site: Installation) -> None:
    """Close the work units that were set aside: one image is put off, more are tried one by one.

    Their reasons are in the imaging database then; nothing of them stays here.
    """
    failed = site.imaging.known_units(names_in(site.home, State.SET_ASIDE))
    open_units = {unit.name: unit for unit in site.imaging.units("open")} if failed else {}
    for name in failed:
        if name in open_units:
            unit, reason = open_units[name], reason_of(site.home, name)
            (_split if len(unit.image_ids) > 1 else _put_off)(site, unit, reason)
        clear_set_aside(site.home, name)


def reason_of(home: Home, name: str) -> str:
    """Return why a work unit was set aside."""
    path = place_of(home, name, State.SET_ASIDE).with_suffix(".txt")
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return "no reason was written down"


def _split(site: Installation, unit: UnitRecord, reason: str) -> None:
    alone = {each.image_ids for each in site.imaging.units("open") if each.recipe == unit.recipe}
    recorded(site, unit.recipe, [[image] for image in _unscored(site, unit) if (image.id,) not in alone])
    log.warning("%s failed; its images are tried one by one: %s", unit.name, reason)
    site.imaging.close_unit(unit.name, "withdrawn", f"split into units of one image: {reason}")


def _put_off(site: Installation, unit: UnitRecord, reason: str) -> None:
    """Say that an image has no score yet; what ended the clients says nothing about it."""
    text = f"clients could not score it: {_in_short(reason)}"
    put_off(site, {image.id: Reason(text) for image in _unscored(site, unit)})
    log.warning("%s failed; image %d is tried again later: %s", unit.name, *unit.image_ids, reason)
    site.imaging.close_unit(unit.name, "withdrawn", reason)


def _in_short(reason: str) -> str:
    """Return what the first attempt's reason says, without its number and the client's log."""
    return re.sub(r"^attempt \d+: ", "", reason.partition("\n")[0]).partition("; its log ends")[0]


def withdraw_outdated(site: Installation, recipe: Recipe) -> None:
    """Close the work units that name models no longer in use and that no client has begun; they are packed anew.

    What a client has begun is finished with the models that it was begun with, as long as they are still there.
    """
    for name, former in site.imaging.unit_recipes("open").items():
        is_wanted = former.models == recipe.models or is_in(site.home, name, *CANONICAL)
        if not is_wanted and not _is_in_work(site, name, former):
            log.info("%s is withdrawn: %s is no longer in use", name, _listed(former))
            move(site.home, name, State.QUEUED, State.GONE)
            discard(site.home, site.home.failures / name)
            site.imaging.close_unit(name, "withdrawn", f"replaced by {_listed(recipe)}")


def _listed(recipe: Recipe) -> str:
    return ", ".join(model.name for model in recipe.models if model.name)


def _is_in_work(site: Installation, name: str, recipe: Recipe) -> bool:
    home = site.home
    if not is_in(home, name, State.RUNNING, State.RETURNED):
        return False
    there = cards_in(site.models).keys() | cards_in(home.models).keys()
    return set(hashes_of(recipe.models).values()) <= there


def recreate_lost(site: Installation) -> int:
    """Write the files of open work units that have none; return how many images they hold.

    A work unit none of whose images can be read now is withdrawn; they are packed anew when they can be.
    """
    lost = {name for name in site.imaging.unit_recipes("open") if _is_lost(site, name)}
    again = 0
    for unit in site.imaging.units("open") if lost else []:
        if unit.name not in lost:
            continue
        read, _ = read_some(site, _unscored(site, unit))
        if read:
            again += sum(pack(site, [(unit, read)]))
        else:
            site.imaging.close_unit(unit.name, "withdrawn", "its file was lost, and no image of it can be read now")
    return again


def _is_lost(site: Installation, name: str) -> bool:
    return not is_in(site.home, name, State.QUEUED, State.SET_ASIDE, *CANONICAL)


def _images(site: Installation, unit: UnitRecord) -> list[StoredImage]:
    known = site.imaging.images(unit.image_ids)
    return [known[image_id] for image_id in unit.image_ids if image_id in known]


def _unscored(site: Installation, unit: UnitRecord) -> list[StoredImage]:
    """Return the images of a work unit that have no score by its recipe, be it of another work unit."""
    scored = site.imaging.scored(unit.image_ids, unit.recipe)
    return [image for image in _images(site, unit) if image.id not in scored]
