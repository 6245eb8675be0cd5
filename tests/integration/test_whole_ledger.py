"""The ledger of all images, read piece by piece, on every kind of database."""

from crystal_search.server.imaging.imaging_database import ImagingDatabase, LedgerEntry
from crystal_search.server.imaging.stored_images import Removal
from tests.integration.imaging_nouns import NOON, auto, key, manual, stored


def pieces(imaging: ImagingDatabase, limit: int) -> list[LedgerEntry]:
    found: list[LedgerEntry] = []
    while piece := imaging.ledger_entries(after=found[-1].id if found else 0, limit=limit):
        found += piece
    return found


def test_scores_come_once_each_in_the_order_in_which_they_came(imaging: ImagingDatabase) -> None:
    assert imaging.last_entry() == 0
    first, second, removed = stored(imaging, key()), stored(imaging, key(row=1)), stored(imaging, key(row=2))
    imaging.add_auto_scores([auto(second)])
    imaging.add_manual_score(manual(first, "Ann"))
    imaging.add_manual_score(manual(removed, "Ann"))
    imaging.add_auto_scores([auto(first)])
    imaging.remove_images([removed.id], Removal(person="Ann", what="a drop", why="test", removed_at=NOON))
    entries = pieces(imaging, 2)
    assert [(each.image.id, each.image.key) for each in entries] == [
        (image.id, image.key) for image in (second, first, first)
    ]
    assert [each.score for each in entries] == [
        imaging.ledger(second.id)[0],
        *imaging.ledger(first.id),
    ]
    assert [each.id for each in entries] == sorted({each.id for each in entries})
    assert pieces(imaging, 100) == entries
    assert imaging.last_entry() == entries[-1].id
