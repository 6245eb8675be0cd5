"""Rules of what facilities are given and what is taken from them, that every imaging database keeps."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.server.imaging.facility_records import PulledScore, Push
from crystal_search.server.imaging.imaging_database import ManualScore, ScoredImage, ToPush
from crystal_search.wells import REMOVED

FIRST_REST, LONGEST_REST = timedelta(minutes=1), timedelta(days=1)  #: until a refused score is given again
LATER_COUNTS = "a later score of the image counts"
COUNTS_NOT = "the score counts no more: the picture changed, or it was taken back"
TAKEN_BACK = "the image was taken back"
PERSON_LETTERS = 200  #: that the ledger keeps of a name


def again_at(tries: int, now: datetime) -> datetime:
    """Return when a facility is given a score again that it refused so often: each time after twice the time.

    >>> again_at(3, datetime(2026, 1, 31)), again_at(40, datetime(2026, 1, 31))
    (datetime.datetime(2026, 1, 31, 0, 4), datetime.datetime(2026, 2, 1, 0, 0))
    """
    return now + min(LONGEST_REST, FIRST_REST * (1 << min(tries - 1, 20)))


def sorted_out(scores: Sequence[ScoredImage]) -> ToPush:
    """Return which of these scores a facility is to be given."""
    counting = [each for each in scores if each.score.counts]
    last = {each.image.id: each.score_id for each in sorted(counting, key=lambda each: each.score_id)}
    given, passed_over = [], []
    for each in sorted(scores, key=lambda each: each.score_id):
        if reason := _why_not(each, last.get(each.image.id)):
            again = reason == TAKEN_BACK
            passed_over.append(
                Push(score_id=each.score_id, image_id=each.image.id, refused=reason, tries=each.tries + 1, again=again)
            )
        else:
            given.append(each)
    return ToPush(scores=tuple(given), passed_over=tuple(passed_over))


def _why_not(scored: ScoredImage, last: int | None) -> str:
    if not scored.score.counts:
        return COUNTS_NOT
    if scored.score_id != last:
        return LATER_COUNTS
    return TAKEN_BACK if scored.image.key.channel == REMOVED else ""


def last_given(pushes: Sequence[Push]) -> dict[int, int]:
    """Return by image the last score of these that counts: earlier ones of the image are not given again.

    >>> old, late = Push(score_id=1, image_id=7), Push(score_id=2, image_id=7, refused=COUNTS_NOT, again=False)
    >>> last_given([old, late])
    {7: 1}
    """
    counting = [each for each in pushes if each.refused != COUNTS_NOT]
    return {each.image_id: each.score_id for each in sorted(counting, key=lambda each: each.score_id)}


def new_scores(
    facility: str, pulled: Sequence[tuple[int, PulledScore]], ledger: dict[int, list[ManualScore]]
) -> list[ManualScore]:
    """Return the ledger's rows of those pulled scores, each with its image, that are not there yet.

    Parameters
    ----------
    facility
        Where they come from.
    pulled
        Ids of images, and people's scores of them.
    ledger
        People's scores that are there, by image; the new ones are added to it.

    Raises
    ------
    UnknownNameError
        If an outcome is none.
    """
    new = []
    for image_id, score in sorted(pulled, key=lambda pair: pair[1].scored_at):
        if score.outcome != NO_DROP:
            outcome_named(score.outcome)
        there = ledger.setdefault(image_id, [])
        if _is_known(facility, score, there):
            continue
        row = ManualScore(
            image_id=image_id,
            person=score.person[:PERSON_LETTERS],
            scored_at=score.scored_at,
            outcome=score.outcome,
            pulled_from=facility,
            late=any(each.counts and each.scored_at > score.scored_at for each in there),
        )
        there.append(row)
        new.append(row)
    return new


def _is_known(facility: str, score: PulledScore, there: Sequence[ManualScore]) -> bool:
    """Tell whether a person's score is there, or says what the last of that person's before it said."""
    same = [each for each in there if (each.pulled_from, each.person) == (facility, score.person[:PERSON_LETTERS])]
    before = [each for each in same if each.scored_at <= score.scored_at]
    if not before:
        return False
    last = max(before, key=lambda each: each.scored_at)
    return last.outcome == score.outcome
