"""When it is worth while to fit a readout to what people scored: offered by counts alone, nothing is fitted here.

A fit is offered when there are labels enough for one, again when there are twice as many as at the last, when another
classifier or first look is in use since, and when the sentinel noticed since that the imager is not as it was.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial

from crystal_search.adaptation.gain import FEW
from crystal_search.errors import DatabaseError, ModelError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model import looks_in
from crystal_search.outcomes import BY_NAME, Group
from crystal_search.plurals import counted
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation
from crystal_search.server.services.hand_labels import labels_by_imager
from crystal_search.server.services.imager_records import Noticed, read_record
from crystal_search.server.services.strange_lookout import noticed_strange
from crystal_search.server.services.strange_records import read_strange
from crystal_search.who_looks import Looks

log = logging.getLogger(__name__)

FORMAT, VERSION = "crystal-search fits", 2  #: the first did not name who is behind a first look
MOST_IMAGERS, MOST_LABELS = 1000, 10**9
MANY_MORE = 2  #: times the labels of the last fit
EVERY_S = 3600.0  #: between two looks of `watch`, each of which counts what people said of every image


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The last time that a readout was fitted to an imager's labels, whether it was proven better or not."""

    imager: str
    labels: int  #: that people had given by then
    classifier_sha256: str  #: whose features it was fitted to
    behind_sha256: str | None = None  #: the classifier behind that first look; None: as `Looks` says
    fitted_at: str  #: ISO 8601, UTC

    @property
    def looks(self) -> Looks:
        """Which models answered what it was fitted to."""
        return Looks(first=self.classifier_sha256, behind=self.behind_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """That a readout should be fitted to an imager's labels."""

    imager: str
    labels: int
    crystals: int  #: of them
    why: str  #: why now; the same until there is a new reason
    command: str

    @property
    def said(self) -> str:
        """What people read."""
        of_them = f"{counted(self.labels, 'score')} by people of imager {self.imager!r}, {self.crystals} of crystals"
        return f"{of_them}, {self.why}: `{self.command}` tells whether they make its scores better"


def offers(site: Installation) -> list[Offer]:
    """Return what is worth a fit now, by imager.

    Raises
    ------
    DatabaseError
        If the ledger cannot be read.
    ModelError
        If it is not known which classifier is in use.
    """
    labels: Counter[str] = Counter()
    crystals: Counter[str] = Counter()
    for (imager, outcome), images in labels_by_imager(site).items():
        labels[imager] += images
        crystals[imager] += images * (outcome in BY_NAME and BY_NAME[outcome].group is Group.CRYSTAL)
    enough = [each for each in sorted(labels) if min(crystals[each], labels[each] - crystals[each]) >= FEW]
    if not enough:
        return []
    fits, looks = read_fits(site.home), looks_in(site.models)
    reasons = {imager: _why(site, fits.get(imager), imager, labels[imager], looks) for imager in enough}
    return [
        Offer(
            imager=imager,
            labels=labels[imager],
            crystals=crystals[imager],
            why=why,
            command=f"crystal-search adapt --home {site.home.path} --imager '{imager}'",
        )
        for imager, why in reasons.items()
        if why
    ]


def _why(site: Installation, fit: Fit | None, imager: str, labels: int, looks: Looks) -> str:
    if fit is None:
        return "enough for a readout"
    if not fit.looks.fit(looks):
        return "and another classifier or first look is in use since the last fit"
    if labels >= MANY_MORE * fit.labels:
        return f"{MANY_MORE} times as many as the {fit.labels} of the last fit, or more"
    fitted_at = datetime.fromisoformat(fit.fitted_at)
    later = [each for each in _noticed(site, imager) if _moment(each.at) > fitted_at]
    if later and labels > fit.labels:
        return f"and the sentinel noticed {later[-1].kind} on {later[-1].at[:10]}, after the last fit"
    return ""


def _noticed(site: Installation, imager: str) -> Iterator[Noticed]:
    """Yield what is the matter with an imager now."""
    yield from read_record(site.home.sentinel, imager).standing
    yield from noticed_strange(site.imaging, read_strange(site.home.sentinel, imager))


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def note_fit(site: Installation, imager: str, labels: int) -> None:
    """Note that a readout was just fitted to so many labels that people gave, for `offers` to know."""
    looks = looks_in(site.models)
    fit = Fit(
        imager=imager,
        labels=labels,
        classifier_sha256=looks.first,
        behind_sha256=looks.behind,
        fitted_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    known = read_fits(site.home) | {imager: fit}
    content = {"format": FORMAT, "version": VERSION, "fits": [asdict(known[each]) for each in sorted(known)]}
    write_whole(site.home.fits, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_fits(home: Home) -> dict[str, Fit]:
    """Return the last fit of each imager; a file that cannot be read is none: a fit is offered once more then."""
    try:
        found = read_whole(home.fits.read_bytes(), str(home.fits), DatabaseError, _fits)
    except FileNotFoundError:
        return {}
    except (OSError, DatabaseError) as error:
        log.warning("%s; it counts as none", error)
        return {}
    return {each.imager: each for each in found}


def _fits(read: Reader) -> tuple[Fit, ...]:
    version = read.format(FORMAT, VERSION)
    return read.objects("fits", partial(_fit, version=version), limit=MOST_IMAGERS)


def _fit(read: Reader, version: int) -> Fit:
    fit = Fit(
        imager=read.text("imager", limit=200),
        labels=read.integer("labels", 0, MOST_LABELS),
        classifier_sha256=read.sha256("classifier_sha256"),
        behind_sha256=read.optional_sha256("behind_sha256") if version > 1 else None,
        fitted_at=read.text("fitted_at", limit=40),
    )
    if datetime.fromisoformat(fit.fitted_at).tzinfo is None:
        read.fail("fitted_at", "a time with its zone", fit.fitted_at)
    return fit


def offers_if_known(site: Installation) -> list[Offer]:
    """Return what is worth a fit now; nothing, and a line in the log, where the models in use cannot be read."""
    try:
        return offers(site)
    except ModelError as error:
        log.warning("nothing is offered: %s", error)
        return []


class OfferRounds:
    """Looks now and then whether there is something to offer, and says each thing once."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._next_at = 0.0
        self._said: set[tuple[str, str]] = set()

    def look(self) -> list[str]:
        """Look, if it is time; return what was not offered before, a sentence each."""
        if time.monotonic() < self._next_at:
            return []
        self._next_at = time.monotonic() + EVERY_S
        new = [each for each in offers(self._site) if (each.imager, each.why) not in self._said]
        self._said |= {(each.imager, each.why) for each in new}
        return [each.said for each in new]
