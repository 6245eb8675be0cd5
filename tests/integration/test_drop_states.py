"""What tells whether the drops of an inspection are as they were."""

from collections.abc import Callable
from dataclasses import replace

from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.stored_images import FileVersion, Postponement, Removal, StoredImage
from tests.integration.imaging_nouns import NOON, OTHER_RECIPE, RECIPE, auto, key, manual, new_image, stored, unreadable
from tests.recipes import by_readout

FILE = FileVersion(sha256="a" * 64, size_bytes=1, mtime_ns=1)


def writes(imaging: ImagingDatabase, image: StoredImage) -> dict[str, Callable[[], object]]:
    """Return by name everything that is written of an image and shows at its drop, in an order that is possible."""
    comment = Comment(image_id=image.id, person="Zoë", written_at=NOON, text="look")
    off = Postponement(image_id=image.id, reason="no such file", tries=1, since=NOON, next_at=NOON)
    removal = Removal(person="Ann", what="plate P1", why="", removed_at=NOON)

    def score_id() -> int:
        return max(getattr(each, "id", 0) for each in imaging.ledger(image.id))

    def comment_id() -> int:
        return next(each.id for each in imaging.comments(image.id) if each.stands and each.id)

    return {
        "the file is noted": lambda: imaging.note_versions({image.id: FILE}),
        "put off": lambda: imaging.postpone([off]),
        "put off for another reason": lambda: imaging.postpone([replace(off, reason="it hangs")]),
        "put off no longer": lambda: imaging.take_up([image.id]),
        "unreadable": lambda: imaging.add_auto_scores([unreadable(image)]),
        "the file changes": lambda: imaging.note_versions({image.id: replace(FILE, sha256="b" * 64)}),
        "a machine's score": lambda: imaging.add_auto_scores([auto(image, "unit-2")]),
        "by another recipe": lambda: imaging.add_auto_scores([auto(image, "unit-3", recipe=OTHER_RECIPE)]),
        "by a readout": lambda: imaging.add_auto_scores([auto(image, "r", recipe=by_readout(RECIPE))]),
        "scores count no more": lambda: imaging.discount_scores([image.id]),
        "a person's score": lambda: imaging.add_manual_score(manual(image)),
        "the same again": lambda: imaging.add_manual_score(manual(image)),
        "taken back": lambda: imaging.take_back(score_id(), person="Zoë", at=NOON),
        "a comment": lambda: imaging.add_comment(comment),
        "the comment taken back": lambda: imaging.take_comment_back(comment_id(), person="Zoë", at=NOON),
        "a mark": lambda: imaging.add_mark(Mark(image_id=image.id, person="Zoë", marked_at=NOON, kind="favourite")),
        "the mark taken back": lambda: imaging.take_mark_back(imaging.marks([image.id])[0].id, person="Zoë", at=NOON),
        "another drop": lambda: stored(imaging, replace(image.key, drop=2)),
        "the drop removed": lambda: imaging.remove_images([image.id], removal),
        "the drop came again": lambda: imaging.add_images([new_image(image.key)]),
    }


def test_whatever_is_written_of_an_inspection_is_another_state(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    state = imaging.state_of_drops("P1", inspection=1)
    for name, write in writes(imaging, image).items():
        assert imaging.state_of_drops("P1", inspection=1) == state, name
        write()
        new = imaging.state_of_drops("P1", inspection=1)
        assert new != state, name
        state = new


def test_what_was_added_is_read_of_its_images_alone_and_everything_else_anew(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    other = stored(imaging, replace(image.key, drop=5))
    drops, state = imaging.drops("P1", inspection=1), imaging.state_of_drops("P1", inspection=1)
    told = {}
    for name, write in writes(imaging, image).items():
        write()
        added = imaging.images_added_to("P1", since=state, inspection=1)
        now = imaging.drops("P1", inspection=1)
        if added is not None:
            new = {each.image.id: each for each in imaging.drops("P1", inspection=1, images=added)}
            assert [new.get(each.image.id, each) for each in drops] == now, name
        drops, state, told[name] = now, imaging.state_of_drops("P1", inspection=1), added
    assert all(told[name] == {image.id} for name in ("a person's score", "the same again", "a comment", "a mark"))
    assert told["another drop"] is told["the drop removed"] is None
    assert imaging.images_added_to("P1", since=state, inspection=1) == set()
    imaging.add_manual_score(manual(other))
    assert imaging.images_added_to("P1", since=state, inspection=1) == {other.id}


def test_what_happens_beside_an_added_score_is_never_overlooked(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    other = stored(imaging, replace(image.key, drop=5))
    imaging.add_auto_scores([auto(other, "unit-1")])
    beside: dict[str, Callable[[str], object]] = {
        "a readout": lambda turn: imaging.add_auto_scores([auto(other, f"r-{turn}", recipe=by_readout(RECIPE))]),
        "a machine": lambda turn: imaging.add_auto_scores([auto(other, f"unit-{turn}", recipe=OTHER_RECIPE)]),
        "a person": lambda turn: imaging.add_manual_score(manual(other, person=f"Person {turn}")),
        "nobody": lambda turn: None,
    }
    for turn, (name, write) in enumerate(writes(imaging, image).items()):
        for who, add in beside.items():
            drops, state = imaging.drops("P1", inspection=1), imaging.state_of_drops("P1", inspection=1)
            add(f"{turn}-{who}")
            if who == list(beside)[turn % len(beside)]:
                write()
            added = imaging.images_added_to("P1", since=state, inspection=1)
            now = imaging.drops("P1", inspection=1)
            if added is not None:
                new = {each.image.id: each for each in imaging.drops("P1", inspection=1, images=added)}
                assert [new.get(each.image.id, each) for each in drops] == now, (name, who)


def test_a_score_taken_back_beside_one_by_a_readout_is_read_anew(imaging: ImagingDatabase) -> None:
    image, other = stored(imaging, key()), stored(imaging, replace(key(), drop=5))
    imaging.add_manual_score(manual(image))
    (given,) = imaging.ledger(image.id)
    state = imaging.state_of_drops("P1", inspection=1)
    imaging.add_auto_scores([auto(other, "r", recipe=by_readout(RECIPE))])
    assert imaging.images_added_to("P1", since=state, inspection=1) == {other.id}
    imaging.take_back(getattr(given, "id", 0), person="Zoë", at=NOON)
    added = imaging.images_added_to("P1", since=state, inspection=1)
    assert added is None or image.id in added


def test_of_a_state_that_is_none_everything_is_read_anew(imaging: ImagingDatabase) -> None:
    stored(imaging, key())
    assert imaging.images_added_to("P1", since=None, inspection=1) is None


def test_what_is_written_of_others_is_the_same_state(imaging: ImagingDatabase) -> None:
    stored(imaging, key())
    state = imaging.state_of_drops("P1", inspection=1)
    for where in (key("P2"), key(inspection=2), key(channel="uv")):
        other = stored(imaging, where)
        for name, write in writes(imaging, other).items():
            write()
            assert imaging.state_of_drops("P1", inspection=1) == state, name


def test_a_plate_that_is_not_there_has_a_state_that_it_loses_when_it_comes(imaging: ImagingDatabase) -> None:
    state = imaging.state_of_drops("P1", inspection=1)
    assert state == imaging.state_of_drops("P1", inspection=1)
    stored(imaging, key())
    assert imaging.state_of_drops("P1", inspection=1) != state
