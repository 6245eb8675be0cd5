"""What the pages read from the imaging database, each thing at most once in a moment."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar

from starlette.exceptions import HTTPException

from crystal_search.adaptation.rescoring import Answer
from crystal_search.naming import shown_in
from crystal_search.server.imaging.adding_rules import shown_of
from crystal_search.server.imaging.best_drops import BestQuery
from crystal_search.server.imaging.imaging_database import (
    AutoScore,
    DropScores,
    ImagingDatabase,
    ManualScore,
    PlateSummary,
    Recipe,
)
from crystal_search.server.imaging.plate_list import Neighbours, PlatePage, PlateQuery
from crystal_search.server.imaging.stored_images import StoredImage, Taken
from crystal_search.server.services.readout_scores import recipe_digits
from crystal_search.server.services.shown_scores import ShownScores
from crystal_search.viewer.about_plates import AboutPlate, about
from crystal_search.viewer.best_cards import BestCards, best_cards
from crystal_search.viewer.recent import Recent
from crystal_search.viewer.recipes import SHOWN
from crystal_search.wells import CHANNELS, REMOVED

LIVE_SECONDS = 0.5  #: how old the scores of the open inspection may be
PLATES_SECONDS = 2.0  #: how old the list of plates may be
HISTORY_SECONDS = 10.0  #: how old the scores of other inspections may be

Promised = Mapping[int, Answer]  #: by image, what the triage of a readout in use says
Made = TypeVar("Made")
Place = tuple[int, int, int]  #: of a drop, `WellKey.place`


class Board(NamedTuple):
    """One inspection of a plate in one channel: what a page shows at a time."""

    plate: str
    inspection: int
    channel: str


def _in_order(channels: Sequence[str]) -> tuple[str, ...]:
    """Return channels as people expect them: visible light first."""
    return tuple(sorted(channels, key=CHANNELS.index))


@dataclass(frozen=True, slots=True)
class Before:
    """What was said last of each drop at earlier inspections, with the inspection's number."""

    people: dict[Place, tuple[int, ManualScore]] = field(default_factory=dict)
    machine: dict[Place, tuple[int, AutoScore]] = field(default_factory=dict)

    def note(self, inspection: int, drop: DropScores) -> None:
        """Note what is said of a drop at an inspection that is later than all before."""
        place = drop.image.key.place
        if drop.manual:
            self.people[place] = (inspection, drop.manual)
        if drop.current:
            self.machine[place] = (inspection, drop.current)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that is read for the overview of one inspection of a plate."""

    summary: PlateSummary
    about: AboutPlate
    days: Mapping[int, date]  #: of inspections, by number
    drops: Sequence[DropScores]
    before: Before
    triage: Promised
    recipes: Sequence[Recipe]


@dataclass(frozen=True, slots=True)
class _State:
    """What the drops of an inspection follow from: which scores are shown, and what is written of them."""

    shown: ShownScores
    drops: object


@dataclass(frozen=True, slots=True)
class _Making:
    """What is made of an inspection and a recipe, whoever makes it."""

    wanted: tuple[Board, str]
    make: Callable[[], Any] = field(compare=False)
    state: Callable[[], object] = field(compare=False)


class PlateReader:
    """Reads plates, drops and their scores; what is not there is a 404."""

    def __init__(
        self,
        imaging: ImagingDatabase,
        *,
        time_zone: str = "",
        shown: Callable[[], ShownScores] = ShownScores,
        promised: Callable[[Sequence[DropScores]], Promised] = lambda _: {},
    ) -> None:
        self._imaging = imaging
        self._made_with: Mapping[str, Any] = {"time_zone": time_zone, "shown": shown, "promised": promised}
        self._time_zone = time_zone  #: of the robots' clocks, which times of images are told by
        self._shown = shown  #: tells which automatic scores are shown
        self._promised = promised  #: tells by image what readouts in use promise of a board's drops
        self._triage = Recent(self._load_triage, seconds=HISTORY_SECONDS)
        self._plates = Recent(self._load_plate, seconds=PLATES_SECONDS)
        self._neighbours = Recent(self._load_neighbours, seconds=HISTORY_SECONDS)
        self._days = Recent(self._load_days, seconds=HISTORY_SECONDS)
        self._live = Recent(self._load_drops, seconds=LIVE_SECONDS, state=self._state, renew=self._renew_drops)
        self._history = Recent(self._load_drops, seconds=HISTORY_SECONDS, state=self._state, renew=self._renew_drops)
        self._recipes = Recent(self._load_recipes, seconds=HISTORY_SECONDS)
        self._made: Recent[_Making, Any] = Recent(
            lambda making: making.make(), seconds=LIVE_SECONDS, state=lambda making: making.state()
        )
        self._lists = Recent(self._load_list, seconds=PLATES_SECONDS)
        self._about = Recent(self._load_about, seconds=HISTORY_SECONDS)

    def over(self, imaging: ImagingDatabase) -> "PlateReader":
        """Return a reader of another database, with a memory of its own."""
        return PlateReader(imaging, **self._made_with)

    def _load_plate(self, barcode: str) -> PlateSummary:
        for summary in self._imaging.plates(plate=barcode):
            return replace(summary, channels=_in_order(summary.channels))
        raise HTTPException(404, f"there is no plate {barcode}")

    def _load_neighbours(self, barcode: str) -> Neighbours:
        return self._imaging.neighbours(barcode, PlateQuery())

    def _load_days(self, plate: str) -> dict[int, date]:
        return {number: self._day(taken) for number, taken in self._imaging.inspections_taken(plate).items()}

    def _day(self, taken: Taken) -> date:
        return (taken.at if taken.day_only else shown_in(taken.at, self._time_zone)).date()

    def _load_list(self, query: PlateQuery) -> PlatePage:
        listed = self._imaging.list_plates(query)
        return replace(listed, plates=tuple(replace(each, channels=_in_order(each.channels)) for each in listed.plates))

    def _load_about(self, plate: str) -> AboutPlate:
        return about(self._imaging, plate)

    def _state(self, wanted: tuple[Board, str]) -> "_State":
        """Return what is another value when the drops of an inspection, or what is shown of them, may be."""
        plate, inspection, channel = wanted[0]
        return _State(self._shown(), self._imaging.state_of_drops(plate, inspection=inspection, channel=channel))

    def _load_drops(self, wanted: tuple[Board, str], images: Collection[int] | None = None) -> list[DropScores]:
        (plate, inspection, channel), key = wanted
        shown = self._shown()
        drops = self._imaging.drops(plate, inspection=inspection, channel=channel, readouts=shown.hashes, images=images)
        told = self._scored_by(key, wanted[0], drops) if key else map(shown.of, drops)
        return [self._by_robots_clock(drop) for drop in told]

    def _by_robots_clock(self, drop: DropScores) -> DropScores:
        image = self.by_robots_clock(drop.image)
        return drop if image is drop.image else replace(drop, image=image)

    def _renew_drops(self, wanted: tuple[Board, str], drops: list[DropScores], before: object) -> list[DropScores]:
        """Return the drops of an inspection, of which only those are read that got scores, comments or marks."""
        (plate, inspection, channel), _ = wanted
        added = None
        if isinstance(before, _State) and before.shown == self._shown():
            added = self._imaging.images_added_to(plate, since=before.drops, inspection=inspection, channel=channel)
        if added is None:
            return self._load_drops(wanted)
        new = {drop.image.id: drop for drop in self._load_drops(wanted, added)}
        return [new.get(drop.image.id, drop) for drop in drops]

    def _scored_by(self, key: str, board: Board, drops: Iterable[DropScores]) -> Iterator[DropScores]:
        """Yield drops with their scores by the recipe of this key alone."""
        plate, inspection, channel = board
        found = [each for each in self._load_recipes(board) if recipe_digits(each) == key]
        scores = self._imaging.scores_by(found[0], plate, inspection=inspection, channel=channel) if found else {}
        yield from (self._shown().by(drop, scores.get(drop.image.id)) for drop in drops)

    def _load_recipes(self, board: Board) -> list[Recipe]:
        plate, inspection, channel = board
        return self._imaging.recipes_at(plate, inspection=inspection, channel=channel)

    def recipes(self, board: Board) -> list[Recipe]:
        """Return the recipes by which drops of an inspection were scored, the first one first."""
        return self._recipes.get(board)

    def by_robots_clock(self, image: StoredImage) -> StoredImage:
        """Return an image with the time at which it was taken by the robot's clock."""
        if image.imaged_at is None or image.day_only:
            return image
        shown = shown_in(image.imaged_at, self._time_zone)
        is_same = shown.utcoffset() == image.imaged_at.utcoffset()
        return image if is_same else replace(image, imaged_at=shown)

    def _load_triage(self, board: Board) -> Promised:
        return self._promised(self.drops(board))

    def triage(self, board: Board) -> Promised:
        """Return by image what is promised of the drops of an inspection, where a readout in use promises something."""
        return self._triage.get(board)

    def promised(self, drops: Sequence[DropScores]) -> Promised:
        """Return the same of all drops of an inspection that were read."""
        return self._promised(drops)

    def plates(self) -> list[PlateSummary]:
        """Return every plate, by barcode, read anew."""
        return [replace(each, channels=_in_order(each.channels)) for each in self._imaging.plates()]

    def plate(self, barcode: str) -> PlateSummary:
        """Return one plate's summary."""
        return self._plates.get(barcode)

    def neighbours(self, barcode: str) -> Neighbours:
        """Return which plates stand beside one in the list as it is before anybody sorts it."""
        return self._neighbours.get(barcode)

    def days(self, barcode: str) -> dict[int, date]:
        """Return by number on which day of the robot's clock each inspection of a plate began, where that is known."""
        return self._days.get(barcode)

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the list of plates."""
        return self._lists.get(query)

    def best_cards(self, query: BestQuery) -> BestCards:
        """Return the best drops of the plates that are new, each once."""
        best = best_cards(self._imaging, query, self._shown())
        told = [(card, replace(card.drop, image=self.by_robots_clock(card.drop.image))) for card in best.cards]
        return replace(best, cards=[replace(card, drop=drop) for card, drop in told])

    def about(self, barcode: str) -> AboutPlate:
        """Return whose a plate is and what is in its wells."""
        return self._about.get(barcode)

    def board(self, barcode: str, inspection: int | None, channel: str | None) -> Board:
        """Return the inspection and channel that are asked for.

        What is left open is chosen so that there are images: visible light first, then the latest inspection.

        Raises
        ------
        HTTPException
            404 if there is no such plate, inspection or channel.
        """
        summary = self.plate(barcode)
        if inspection is not None and inspection not in summary.inspections:
            raise HTTPException(404, f"plate {barcode} has no inspection {inspection}")
        if channel and channel not in summary.channels:
            raise HTTPException(404, f"plate {barcode} has no images of the channel {channel}")
        boards: list[Board] = [
            Board(barcode, each, one)
            for one in ((channel,) if channel else summary.channels)
            for each in (summary.inspections[::-1] if inspection is None else (inspection,))
        ]
        if len(boards) == 1:
            return boards[0]
        return next(filter(self.drops, boards), boards[0])

    def drops(self, board: Board, recipe: str = SHOWN) -> list[DropScores]:
        """Return the drops of an open inspection, by row, column, drop, with the scores that count or a recipe's."""
        return self._live.get((board, recipe))

    def unkept_drops(self, board: Board) -> list[DropScores]:
        """Return the drops of an inspection for a walk over many, which nobody will ask for again soon."""
        return self._load_drops((board, SHOWN))

    def before(self, board: Board, recipe: str = SHOWN) -> Before:
        """Return what was said last of each drop at earlier inspections."""
        plate, inspection, channel = board
        found = Before()
        for number in self.plate(plate).inspections:
            if number < inspection:
                for drop in self._history.get((Board(plate, number, channel), recipe)):
                    found.note(number, drop)
        return found

    def overview(self, board: Board, recipe: str = SHOWN) -> Overview:
        """Return all that is read for the overview of an inspection."""
        return Overview(
            summary=self.plate(board.plate),
            about=self.about(board.plate),
            days=self.days(board.plate),
            drops=self.drops(board, recipe),
            before=self.before(board, recipe),
            triage=self.triage(board),
            recipes=self.recipes(board),
        )

    def image(self, image_id: int) -> StoredImage:
        """Return one image.

        Raises
        ------
        HTTPException
            404 if there is none, or it was taken back.
        """
        image = self._imaging.images([image_id]).get(image_id)
        if image is None or image.key.channel == REMOVED:
            raise HTTPException(404, f"there is no image {image_id}")
        return self.by_robots_clock(image)

    def ledger(self, image: StoredImage) -> tuple[list[AutoScore | ManualScore], AutoScore | None]:
        """Return every score of an image, in the order in which they came, and the automatic one that is shown."""
        shown = self._shown()
        ledger = shown.in_ledger(image, self._imaging.ledger(image.id))
        machine = [score for score in ledger if isinstance(score, AutoScore)]
        readouts = tuple(score for score in machine if score.recipe.readout)
        return ledger, shown.of(DropScores(image=image, auto=shown_of(machine), readouts=readouts)).auto

    def siblings(self, image: StoredImage) -> list[DropScores]:
        """Return every image of the same drop, by inspection and channel."""
        summary = self.plate(image.key.plate)
        boards = [Board(summary.plate, at, channel) for at in summary.inspections for channel in summary.channels]
        place = image.key.place
        drops = (drop for board in boards for drop in self._history.get((board, SHOWN)))
        return [drop for drop in drops if drop.image.key.place == place]

    def kept(self, wanted: tuple[Board, str], make: Callable[[], Made], state: Callable[[], object]) -> Made:
        """Return what `make` makes of an inspection and a recipe, once for all who ask while its state is the same."""
        made: Made = self._made.get(_Making(wanted, make, state))
        return made

    def forget(self, plate: str | None = None) -> None:
        """Read the scores of a plate anew, because one was just given, or those of all plates."""
        self._lists.forget()
        for memory in (self._live, self._history):
            memory.forget(lambda wanted: plate in (None, wanted[0][0]))
        self._made.forget(lambda making: plate in (None, making.wanted[0][0]))
