"""``crystal-search set-autoscore``: puts the scores of finalized CSV files into the ledger.

A CSV file is one transaction. Its rows say which scores are wanted; the scores themselves come from the archived
results, which were validated. A row that contradicts its result is refused, the others go on.
"""

import argparse
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import DatabaseError, UserError
from crystal_search.files import write_whole
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.assimilate import UnreadNowError, assimilated_scores
from crystal_search.server.services.keeping_features import keep_features
from crystal_search.server.services.rescoring_archive import rescore_some, score_by_readouts
from crystal_search.server.services.score_csv import AGAIN, Row, contents, contents_file, disagreement, read_csv
from crystal_search.server.unit_states import State, place_of
from crystal_search.work_unit import NAME

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresSet:
    """What one run did."""

    new: int  #: scores added to the ledger
    refused: tuple[str, ...]  #: rows and files that were left out, a sentence each
    waiting: tuple[str, ...] = ()  #: files that the imaging database could not take now, a sentence each


class ArchivedScores:
    """The archived scores, each work unit read once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._units: dict[str, dict[str, AutoScore]] = {}

    def scores(self, name: str) -> dict[str, AutoScore]:
        """Return the scores of a work unit by image id; none when there is no such result.

        Raises
        ------
        UnreadNowError
            If it cannot be read at the moment.
        """
        if name not in self._units:
            try:
                scores = assimilated_scores(place_of(self._home, name, State.ARCHIVED)) if NAME.fullmatch(name) else []
            except UnreadNowError:
                raise  # the CSV file waits; its rows are as good as before
            except DatabaseError as error:
                log.warning("%s", error)
                scores = []
            self._units[name] = {str(score.image_id): score for score in scores}
        return self._units[name]

    def score(self, row: Row) -> AutoScore:
        """Return the score that a row names.

        Raises
        ------
        UserError
            If there is none, or the row says something else than the result.
        """
        unit, image = row.cells.get("work_unit", ""), row.cells.get("image_id", "")
        if (score := self.scores(unit).get(image)) is None:
            raise UserError(f"line {row.line}: no archived result of work unit {unit[:100]!r} has image {image[:20]!r}")
        if trouble := disagreement(row, score):
            raise UserError(f"line {row.line}: {trouble}; delete a row that you do not want, do not change it")
        return score


def set_autoscores(site: Installation) -> ScoresSet:
    """Put the scores of every finalized CSV file into the ledger; one that cannot be set holds up no other."""
    new, refused, waiting = 0, [], []
    for path in sorted(site.home.finalized.glob("*.csv")):
        try:
            added, trouble = _set_file(site, path)
        except UserError as error:
            log.warning("%s is set aside: %s", path.name, error)
            write_whole(site.home.refused / f"{path.stem}.txt", f"{error}\n")
            path.rename(site.home.refused / path.name)
            refused.append(f"{error}; it is now in {site.home.refused}{_and_then(site.home, path.name)}")
        except DatabaseError as error:
            log.info("%s waits: %s", path.name, error)
            waiting.append(f"{path.name} waits: {error}")
        else:
            new += added
            refused += [f"{path.name}, {each}" for each in trouble]
    return ScoresSet(new=new, refused=tuple(refused), waiting=tuple(waiting))


def _and_then(home: Home, csv_name: str) -> str:
    if not contents(home, csv_name):
        return ""
    if Path(csv_name).stem.endswith(AGAIN):
        return "; finalize --again writes its results once more"
    return ", and finalize writes its results into a new one"


def _set_file(site: Installation, path: Path) -> tuple[int, list[str]]:
    archive, refused = ArchivedScores(site.home), []
    told: list[tuple[int, AutoScore]] = []
    for row in read_csv(path):
        try:
            told.append((row.line, archive.score(row)))
        except UserError as error:
            refused.append(str(error))
    known = site.imaging.images({score.image_id for _, score in told})
    gone = [(line, score.image_id) for line, score in told if score.image_id not in known]
    refused += [f"line {line}: the imaging database has no image {image_id}" for line, image_id in gone]
    wanted = {(score.work_unit, score.image_id): score for _, score in told if score.image_id in known}
    keep_features(site.home, wanted.values())
    added = site.imaging.add_auto_scores(wanted.values())
    score_by_readouts(site, wanted.values(), known)
    units = dict.fromkeys([*contents(site.home, path.name), *(unit for unit, _ in wanted)])
    _close_units(site, path, archive, units, wanted.keys())
    if refused:
        write_whole(site.home.refused / f"{path.stem}.txt", "\n".join([*refused, ""]))
    path.rename(site.home.scored / path.name)
    contents_file(site.home, path.name).unlink(missing_ok=True)
    log.info("set %d scores", added, extra={"action": "scores_set", "file": path.name})
    return added, refused


def _close_units(
    site: Installation, path: Path, archive: ArchivedScores, names: Iterable[str], told: Collection[tuple[str, int]]
) -> None:
    """Close the work units of a CSV file: done, or failed where a person left out a row.

    Only what was left out is held back. An image that the client could not read, or that shows another picture by
    now, has no score either, but is to get one.
    """
    open_names, done = site.imaging.unit_recipes("open").keys(), []
    for name in names:
        if name in open_names and (scores := archive.scores(name)):
            untold = [score for score in scores.values() if (name, score.image_id) not in told]
            if left_out := _left_out(site, untold) if untold else set():
                reason = f"left out of {path.name}: {len(left_out)} of {len(scores)} images"
                site.imaging.close_unit(name, "failed", reason, left_out=left_out)
            else:
                done.append(name)
    site.imaging.finish_units(done)


def _left_out(site: Installation, untold: Sequence[AutoScore]) -> set[int]:
    """Return the images whose scores are in no row, though they are of what the images show, and have no other."""
    shown = site.imaging.images({score.image_id for score in untold})
    images = {score.image_id for score in untold if _is_of(score, shown.get(score.image_id))}
    recipes = {score.recipe for score in untold}
    return images.difference(*(site.imaging.scored(images, recipe) for recipe in recipes))


def _is_of(score: AutoScore, image: StoredImage | None) -> bool:
    """Tell whether a score is of the picture that its image shows, as far as both say."""
    if image is None or image.version is None or score.version is None:
        return image is not None
    return image.version.sha256 == score.version.sha256


def report(found: ScoresSet) -> None:
    """Say what was done.

    Raises
    ------
    DatabaseError
        If files wait for the imaging database.
    """
    say(f"set {found.new} new scores")
    for line in found.refused:
        say(f"left out: {line}")
    if found.waiting:
        raise DatabaseError("\n".join(found.waiting))


add_arguments = add_home_argument


def run(arguments: argparse.Namespace) -> None:
    """Set the scores and say how many there were."""
    with opened(arguments.home) as site:
        with only_service(site.home):
            found = set_autoscores(site)
        rescore_some(site)
    report(found)
