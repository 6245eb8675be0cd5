"""Giving ISPyB our scores: the probability of each class of a schema of ours, for images that it has.

By its own procedure where the account may call that, else the same by rows. Nothing else is written, so a person's
score, which is a column of the image, cannot be touched.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crystal_search.outcomes import GROUPS, OUTCOME_NAMES
from crystal_search.result import ImageScore
from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.facility_database import Refusal
from crystal_search.server.facility.foreign_sql import is_of_row
from crystal_search.server.facility.ispyb_paths import ImageThere, PathsThere
from crystal_search.server.facility.ispyb_schema import CLASS_OF_OUTCOME, GROUP_CLASSES, IspybSite, IspybTables
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import ScoredImage

BATCH = 500  #: images in one condition
TOGETHER = 250  #: images whose scores are given at once; where one is refused, they are given one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The probability of one class for one image."""

    image: ImageThere
    schema: str
    name: str  #: of the class
    class_id: int
    probability: float  #: in [0, 1]


class UnfitError(ValueError):
    """A score that cannot be given; the text says why."""


@dataclass(frozen=True, slots=True)
class IspybWriter:
    """Gives scores in one transaction."""

    tables: IspybTables
    site: IspybSite
    paths: PathsThere  #: how the database writes paths
    connection: Connection
    by_procedure: bool

    def push(self, scores: Sequence[ScoredImage]) -> Iterator[Refusal]:
        """Give these scores, and yield those that are not taken."""
        classes = self._classes()
        known = self.paths.images(self.connection, self.tables, [each.image.path for each in scores])
        fit: dict[int, list[Given]] = {}
        for each in scores:
            try:
                fit[each.image.id] = list(self._given(each, classes, known))
            except UnfitError as reason:
                yield Refusal(image_id=each.image.id, why=f"{each.image.path}: {reason}")
        reasons = self._give_changed(fit)
        paths = {each.image.id: each.image.path for each in scores}
        yield from (Refusal(image_id=number, why=f"{paths[number]}: {why}") for number, why in reasons.items())

    def _classes(self) -> dict[str, dict[str, int]]:
        """Return by schema that is enabled its classes and their numbers."""
        found: dict[str, dict[str, int]] = {}
        for row in self.connection.execute(statements.score_classes(self.tables)):
            if row.enabled:
                found.setdefault(row.schema, {})[row.name] = row.id
        return found

    def _given(
        self, scored: ScoredImage, classes: Mapping[str, Mapping[str, int]], known: Mapping[str, ImageThere | str]
    ) -> Iterator[Given]:
        found = known[scored.image.path]
        if isinstance(found, str):
            raise UnfitError(found)
        model = scored.score.recipe.model("classifier").name
        schema = self.site.schema_of_groups(model)
        wanted = [(schema, groups_of(scored.score.found))]
        if self.site.schema_of_outcomes in classes:  # an administrator need not make it
            wanted.append((self.site.schema_of_outcomes, outcomes_of(scored.score.found)))
        for name, probabilities in wanted:
            if name not in classes:
                raise UnfitError(f"there is no score schema {name!r} that is enabled; an administrator makes it once")
            for one, probability in probabilities.items():
                if one not in classes[name]:
                    raise UnfitError(f"score schema {name!r} has no class {one!r}; an administrator makes it once")
                if not (math.isfinite(probability) and 0 <= probability <= 1):
                    raise UnfitError(f"the probability of {one!r} is {probability}, which is not from 0 to 1")
                yield Given(image=found, schema=name, name=one, class_id=classes[name][one], probability=probability)

    def _give_changed(self, fit: Mapping[int, Sequence[Given]]) -> dict[int, str]:
        """Give what is not there yet; return by our image why its score was not taken."""
        there = self._probabilities(each for given in fit.values() for each in given)
        changed = {
            number: [each for each in given if not _same(there.get((each.image.id, each.class_id)), each.probability)]
            for number, given in fit.items()
        }
        reasons: dict[int, str] = {}
        for part in batches([(number, given) for number, given in changed.items() if given], TOGETHER):
            try:
                with self.connection.begin_nested():
                    self._give([each for _, given in part for each in given])
            except DBAPIError as error:
                if not is_of_row(error):
                    raise
                reasons |= self._one_by_one(dict(part))
        return reasons

    def _probabilities(self, given: Iterable[Given]) -> dict[tuple[int, int], float | None]:
        wanted = list(given)
        classes = sorted({each.class_id for each in wanted})
        found: dict[tuple[int, int], float | None] = {}
        for images in batches(sorted({each.image.id for each in wanted}), BATCH):
            for row in self.connection.execute(statements.probabilities_of(self.tables, images, classes)):
                found[row.image, row.of] = row.probability
        return found

    def _one_by_one(self, changed: Mapping[int, Sequence[Given]]) -> dict[int, str]:
        """Give image by image; one that is refused is as it was before."""
        reasons: dict[int, str] = {}
        for number, given in changed.items():
            try:
                with self.connection.begin_nested():
                    self._give(given)
            except DBAPIError as error:
                if not is_of_row(error):
                    raise
                reasons[number] = " ".join(str(error.orig).split())
        return reasons

    def _give(self, given: Sequence[Given]) -> None:
        if not self.by_procedure:
            self._add([_row(each) for each in given])
            return
        rest = list(given)
        for count, statement in statements.GIVE_SCORES.items():
            while len(rest) >= count:
                self.connection.execute(statement, _arguments(rest[:count]))
                del rest[:count]

    def _add(self, rows: Sequence[dict[str, float]]) -> None:
        if rows:
            self.connection.execute(statements.giving_scores(self.tables, self.connection.dialect.name), rows)


def groups_of(found: ImageScore) -> dict[str, float]:
    """Return by class the probability of each group in its best chop; all 0 where there is no drop or no picture."""
    return dict(zip(GROUP_CLASSES, found.group_peaks or (0.0,) * len(GROUPS), strict=True))


def outcomes_of(found: ImageScore) -> dict[str, float]:
    """Return by class the probability of each outcome, mean over the chops; all 0 where there is no drop."""
    probabilities = found.class_probabilities or (0.0,) * len(OUTCOME_NAMES)
    return {CLASS_OF_OUTCOME[name]: each for name, each in zip(OUTCOME_NAMES, probabilities, strict=True)}


def _row(given: Given) -> dict[str, float]:
    return {
        "blsampleimageid": given.image.id,
        "blsampleimageautoscoreclassid": given.class_id,
        "probability": given.probability,
    }


def _arguments(given: Sequence[Given]) -> dict[str, str | float]:
    values: dict[str, str | float] = {}
    for n, each in enumerate(given):
        values |= {f"path_{n}": each.image.path, f"schema_{n}": each.schema, f"class_{n}": each.name}
        values[f"probability_{n}"] = each.probability
    return values


def _same(there: float | None, wanted: float) -> bool:
    """Tell whether a probability is there: it is kept with the precision of a float of 32 bit, or of its text."""
    return there is not None and math.isclose(there, wanted, rel_tol=1e-5, abs_tol=1e-7)
