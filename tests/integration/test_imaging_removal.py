"""Imports that are taken back, images that come again, and files that move, on every imaging database."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.stored_images import Removal, StoredImage
from tests.integration.imaging_nouns import NOON, RECIPE, auto, key, manual, new_image, stored, unit

REMOVAL = Removal(person="Zoë", what="plate P1", why="wrong 'format'", removed_at=NOON)


def ids(images: Iterable[StoredImage]) -> list[int]:
    return [image.id for image in images]


def test_images_that_are_taken_back_are_nowhere(imaging: ImagingDatabase) -> None:
    gone, stays = stored(imaging, key()), stored(imaging, key(row=1))
    other = stored(imaging, key("P2"))
    alone = stored(imaging, key(inspection=2, channel="uv"))
    imaging.add_auto_scores([auto(gone), auto(stays)])
    assert imaging.remove_images([gone.id, alone.id], REMOVAL) == 1
    assert ids(imaging.plate_images("P1")) == [stays.id]
    assert [drop.image.id for drop in imaging.drops("P1", inspection=1)] == [stays.id]
    assert imaging.known_paths([gone.path, stays.path]) == {stays.path}
    assert imaging.removed_paths([gone.path, stays.path, "/no/such.jpg"]) == {gone.path}
    assert imaging.removed_paths([]) == set()
    assert ids(imaging.images_below("/images/P1")) == [stays.id]
    first, second = imaging.plates()
    assert (first.inspections, first.channels, first.images, first.scored) == ((1,), ("visible",), 1, 1)
    assert (second.plate, second.images) == ("P2", 1)
    assert imaging.images_without_score(RECIPE, limit=9) == [other]
    imaging.add_auto_scores([auto(other)])
    assert imaging.waits_longest() is None
    assert imaging.removals() == [replace(REMOVAL, id=1, images=2)]


def test_a_plate_that_is_taken_back_is_gone_and_nothing_is_scored_of_it(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(3)]
    imaging.remove_images(ids(images), REMOVAL)
    assert imaging.plates() == []
    assert imaging.images_without_score(RECIPE, limit=9) == []
    assert imaging.count_to_score(RECIPE) == 0
    assert imaging.remove_images(ids(images), REMOVAL) == 2
    assert [each.images for each in imaging.removals()] == [0, 3]


def test_what_comes_again_from_its_file_has_its_scores(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.add_manual_score(manual(image))
    ledger = imaging.ledger(image.id)
    imaging.remove_images([image.id], REMOVAL)
    assert imaging.ledger(image.id) == ledger
    assert imaging.add_images([new_image(key())]).added == 1
    assert imaging.plate_images("P1") == [image]
    assert imaging.removed_paths([image.path]) == set()
    assert imaging.ledger(image.id) == ledger
    (summary,) = imaging.plates()
    assert (summary.images, summary.scored) == (1, 1)
    imaging.remove_images([image.id], REMOVAL)
    assert imaging.add_images([new_image(key())]).added == 1
    assert imaging.plate_images("P1") == [image]


def test_what_comes_again_elsewhere_is_another_image(imaging: ImagingDatabase) -> None:
    """As after an import with the wrong plate format: files are the same, wells are others."""
    wrong = [stored(imaging, key(column=column)) for column in (1, 2)]
    imaging.add_auto_scores([auto(image) for image in wrong])
    imaging.remove_images(ids(wrong), REMOVAL)
    right = [new_image(key(row=row), path=image.path) for row, image in enumerate(wrong)]
    assert imaging.add_images(right).added == 2
    assert [(image.key, image.path) for image in imaging.plate_images("P1")] == [
        (image.key, image.path) for image in right
    ]
    assert set(ids(imaging.plate_images("P1"))).isdisjoint(ids(wrong))
    assert imaging.plates()[0].scored == 0
    assert len(imaging.ledger(wrong[0].id)) == 1


def test_a_result_for_an_image_that_was_taken_back_meanwhile_is_kept(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_units([unit(image)])
    imaging.remove_images([image.id], REMOVAL)
    assert imaging.add_auto_scores([auto(image)]) == 1
    assert imaging.plates() == []
    imaging.add_images([new_image(key())])
    assert imaging.plates()[0].scored == 1


def test_scores_by_hand_are_found(imaging: ImagingDatabase) -> None:
    one, two = stored(imaging, key()), stored(imaging, key(row=1))
    imaging.add_auto_scores([auto(one), auto(two)])
    imaging.add_manual_score(manual(two))
    assert imaging.scored_by_hand([one.id, two.id]) == {two.id}


def test_imports_know_what_they_brought(imaging: ImagingDatabase) -> None:
    first, empty = imaging.begin_import("/robot", "Zoë"), imaging.begin_import("/other", "Ada")
    second = imaging.begin_import("/robot/%_", "Ada")
    imaging.add_images([new_image(key()), new_image(key(row=1))], import_id=first)
    imaging.add_images([new_image(key()), new_image(key(row=2))], import_id=second)
    assert [(each.id, each.folder, each.person, each.images) for each in imaging.imports()] == [
        (second, "/robot/%_", "Ada", 1),
        (first, "/robot", "Zoë", 2),
    ]
    assert [image.key.row for image in imaging.imported(first)] == [0, 1]
    assert imaging.imported(empty) == []
    imaging.remove_images(ids(imaging.imported(first)), REMOVAL)
    assert [each.id for each in imaging.imports()] == [second]


def test_files_that_moved_are_followed(imaging: ImagingDatabase) -> None:
    image, other = stored(imaging, key()), stored(imaging, key(row=1))
    odd = new_image(key(row=2), path="/images/P1_/x.jpg")
    imaging.add_images([odd])
    assert ids(imaging.images_below("/images/P1")) == [image.id, other.id]
    assert ids(imaging.images_below("/images/P1/")) == [image.id, other.id]
    imaging.move_images({image.id: "/new/a.jpg"})
    assert imaging.images([image.id])[image.id] == replace(image, path="/new/a.jpg")
    assert imaging.known_paths([image.path, "/new/a.jpg", other.path]) == {"/new/a.jpg", other.path}
    assert imaging.add_images([new_image(key(), path="/new/a.jpg")]).known == 1


def test_what_was_taken_back_is_followed(imaging: ImagingDatabase) -> None:
    gone, back = stored(imaging, key()), stored(imaging, key(row=1))
    imaging.remove_images(ids([gone, back]), REMOVAL)
    imaging.add_images([new_image(key(row=1))])
    moved = gone.path.replace("/images/P1/", "/new/P1/")
    assert imaging.move_removed("/images/P1", "/new/P1") == 1
    assert imaging.move_removed("/images/P1", "/new/P1") == 0
    assert imaging.removed_paths([gone.path, moved, back.path]) == {moved}
    assert imaging.add_images([new_image(key(), path=moved)]).added == 1
    assert imaging.images([gone.id, back.id]) == {gone.id: replace(gone, path=moved), back.id: back}


def test_newer_scores_count_when_an_image_is_there_again(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.remove_images([image.id], replace(REMOVAL, removed_at=NOON + timedelta(days=1)))
    imaging.add_images([new_image(key())])
    assert imaging.scored([image.id], RECIPE) == {image.id}
