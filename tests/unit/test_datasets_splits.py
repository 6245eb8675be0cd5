from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.datasets.archive_reading import ImageRecord
from crystal_search.datasets.building import Plan, division_of
from crystal_search.datasets.dividing import DEFAULT_SHARES, Member, divided
from crystal_search.datasets.fingerprints import (
    ALIKE_BITS,
    NEAR_BITS,
    WORDS,
    alike_pairs,
    bits_apart,
    fingerprint,
    near_pairs,
)
from crystal_search.images import resized

OUTCOMES = ("crystal_harvestable", "precipitate", "clear", "no_drop")
MEMBERS = st.lists(
    st.builds(
        Member,
        st.sampled_from(OUTCOMES),
        st.sampled_from([f"w{number}" for number in range(12)]),
        st.sampled_from(["", "p1", "p2", "p3", "p4", "p5", "p6"]),
        st.sampled_from([None, None, None, "train", "validation", "test"]),
    ),
    min_size=1,
    max_size=40,
)


def wells(count: int, outcome: str = "clear") -> list[Member]:
    return [Member(outcome, f"{outcome} {number}", "", None) for number in range(count)]


@given(MEMBERS, st.data(), st.sampled_from([None, "plate", "well"]), st.integers(0, 5))
def test_no_group_is_in_two_splits(members: list[Member], data: st.DataObject, by: str | None, seed: int) -> None:
    place = st.integers(0, len(members) - 1)
    pairs = data.draw(st.lists(st.tuples(place, place), max_size=10))
    division = divided(members, pairs, by=by, seed=seed)
    splits: dict[str, set[str]] = {}
    for member, split, group in zip(members, division.splits, division.groups, strict=True):
        splits.setdefault(group, set()).update([split] if split else [])
        if division.by == "well" or not member.plate:
            splits.setdefault(f"well of {member.well}, plate {member.plate}", set()).update([split] if split else [])
        if division.by == "plate" and member.plate:
            splits.setdefault(f"plate of {member.plate}", set()).update([split] if split else [])
    assert all(len(each) <= 1 for each in splits.values())
    assert all(division.groups[one] == division.groups[other] for one, other in pairs)


@given(MEMBERS, st.integers(0, 5))
def test_the_same_images_always_give_the_same_splits(members: list[Member], seed: int) -> None:
    assert divided(members, [], seed=seed) == divided(members, [], seed=seed)
    backwards = divided(members[::-1], [], seed=seed)
    assert divided(members, [], seed=seed).splits == backwards.splits[::-1]


def test_shares_and_outcomes_are_kept() -> None:
    members = wells(200, "crystal_harvestable") + wells(1000, "clear")
    splits = divided(members, []).splits
    assert [splits[:200].count(split) for split in DEFAULT_SHARES] == pytest.approx([160, 20, 20], abs=1)
    assert [splits[200:].count(split) for split in DEFAULT_SHARES] == pytest.approx([800, 100, 100], abs=1)


@given(st.integers(0, 5), st.integers(1, 60))
def test_wells_stay_where_they_were_when_labels_change_and_the_archive_grows(seed: int, more: int) -> None:
    before = divided(wells(100), [], seed=seed).splits
    earlier = {member.well: str(split) for member, split in zip(wells(100), before, strict=True)}
    relabelled = [replace(member, outcome=OUTCOMES[number % 4]) for number, member in enumerate(wells(100))]
    after = divided(relabelled + wells(more, "precipitate"), [], seed=seed, earlier=earlier).splits
    assert after[:100] == before
    assert None not in after


def test_new_wells_beside_earlier_ones_are_shared_out() -> None:
    members = wells(300, "precipitate")
    splits = divided(members, [], earlier={member.well: "test" for member in members[:100]}).splits
    assert set(splits[:100]) == {"test"}
    assert [splits[100:].count(split) for split in DEFAULT_SHARES] == pytest.approx([160, 20, 20], abs=1)


@given(MEMBERS, st.tuples(*[st.sampled_from([0.0, 1.0, 3.0])] * 3).filter(any), st.integers(0, 5))
def test_a_split_without_a_share_has_nothing_that_no_publisher_put_there(
    members: list[Member], parts: tuple[float, float, float], seed: int
) -> None:
    unpublished = [replace(member, split=None) for member in members]
    shares = dict(zip(DEFAULT_SHARES, parts, strict=True))
    assert all(shares[str(split)] for split in divided(unpublished, [], shares=shares, seed=seed).splits)


@pytest.mark.parametrize("parts", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (0, 1, 0), (0, 0, 1), (0, 99, 1)])
def test_few_groups_leave_no_split_empty_that_has_a_share(parts: tuple[int, int, int]) -> None:
    shares = dict(zip(DEFAULT_SHARES, parts, strict=True))
    for seed in range(20):
        assert set(divided(wells(3), [], shares=shares, seed=seed).splits) == {key for key in shares if shares[key]}


def test_where_only_tests_are_wanted_a_publishers_tests_change_nothing() -> None:
    members = [*wells(3), Member("clear", "z", "", "test")]
    shares = {"train": 0.0, "validation": 0.0, "test": 1.0}
    assert divided(members, [], shares=shares).splits == ("test",) * 4


def test_another_seed_gives_other_splits() -> None:
    assert divided(wells(50), [], seed=0).splits != divided(wells(50), [], seed=1).splits


def test_few_groups_leave_no_split_empty() -> None:
    for seed in range(20):
        assert set(divided(wells(3), [], seed=seed).splits) == set(DEFAULT_SHARES)


@pytest.mark.parametrize(("plates", "by"), [(4, "well"), (5, "plate")])
def test_plates_are_divided_where_there_are_enough(plates: int, by: str) -> None:
    members = [Member("clear", f"{plate} {well}", str(plate), None) for plate in range(1, plates + 1) for well in "ab"]
    assert divided(members, []).by == by
    assert divided([*members, Member("clear", "z", "", None)], []).by == "well"


def test_a_double_takes_its_plate_along() -> None:
    members = [Member("clear", f"{plate} {well}", f"p{plate}", None) for plate in range(6) for well in "ab"]
    division = divided(members, [(0, 11)])
    assert division.merged == 1
    assert len({division.splits[at] for at in (0, 1, 10, 11)}) == 1


def test_the_publishers_splits_are_kept() -> None:
    members = [Member("clear", f"w{k}", "", split) for k, split in enumerate(("train", "validation", "test") * 5)]
    assert divided(members, []).splits == ("train", "validation", "test") * 5


def test_a_double_of_a_test_image_does_not_train() -> None:
    members = [Member("clear", f"w{k}", "", split) for k, split in enumerate(("train", "validation", "test", "train"))]
    assert divided(members, [(0, 2)]).splits == (None, "validation", "test", "train")


def test_validation_is_taken_from_the_publishers_training_images() -> None:
    members = [Member("clear", f"w{k}", "", "test" if k < 20 else "train") for k in range(120)]
    splits = divided(members, []).splits
    assert splits[:20] == ("test",) * 20
    assert (splits[20:].count("train"), splits[20:].count("validation")) == pytest.approx((89, 11), abs=1)


def picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    coarse = np.random.default_rng(seed).integers(40, 220, (9, 9))
    return np.kron(coarse, np.ones((30, 30))).astype(np.uint8)


def test_a_fingerprint_says_which_parts_stand_out_more_than_the_one_to_their_left() -> None:
    parts = np.tile(np.arange(17) % 2, (16, 1))  # dark, light, dark, ...
    picture = np.kron(100 + 50 * parts, np.ones((12, 12))).astype(np.uint8)
    bits = np.unpackbits(fingerprint(picture).view(np.uint8)).reshape(16, 16)
    np.testing.assert_array_equal(bits, np.tile(parts[0, 1:], (16, 1)))
    assert fingerprint(picture).shape == (WORDS,)


def test_pictures_that_show_nothing_but_the_shading_of_the_lamp_are_not_the_same() -> None:
    shading = np.linspace(90, 160, 256)[None].repeat(256, axis=0)
    noise = [np.random.default_rng(seed).normal(0, 2, shading.shape) for seed in range(12)]
    prints = [fingerprint(np.rint(shading + each).astype(np.uint8)) for each in noise]
    assert list(near_pairs(prints)) == []


def test_the_same_picture_at_another_exposure_and_size_is_near() -> None:
    first = picture(1)
    smaller = np.rint(first[::2, ::2] * 0.8 + 10).astype(np.uint8)
    other = resized(smaller, first.shape[1])  # all pictures are looked at in the same width
    assert bits_apart(fingerprint(first), fingerprint(other)) <= NEAR_BITS
    assert bits_apart(fingerprint(first), fingerprint(picture(2))) > 40


@given(st.lists(st.integers(0, 7), min_size=2, max_size=12), st.integers(0, 6))
def test_all_near_pairs_are_found_and_no_others(patterns: list[int], near: int) -> None:
    generator = np.random.default_rng(sum(patterns))
    bases = np.random.default_rng(0).integers(0, 2, (3, 256), dtype=np.uint8)
    bits = [bases[pattern % 3].copy() for pattern in patterns]
    for each, pattern in zip(bits, patterns, strict=True):
        each[generator.choice(256, pattern, replace=False)] ^= 1
    prints = [np.packbits(each).view(np.uint64) for each in bits]
    expected = {
        (one, other)
        for one in range(len(bits))
        for other in range(one + 1, len(bits))
        if (bits[one] != bits[other]).sum() <= near
    }
    assert set(near_pairs(prints, near)) == expected


def test_nothing_has_no_pairs() -> None:
    assert list(near_pairs([])) == []


def test_pairs_that_look_alike_are_those_in_which_few_bits_differ() -> None:
    generator, most = np.random.default_rng(3), ALIKE_BITS[0]
    bits = generator.integers(0, 2, (40, 256)).astype(np.uint8)
    for at, flipped in ((1, most), (2, most + 1), (3, 0)):
        bits[at] = bits[0]
        bits[at, :flipped] ^= 1
    prints = [np.packbits(each).view(np.uint64) for each in bits]
    pairs = {(min(pair), max(pair), apart) for *pair, apart in alike_pairs(prints, range(40))}
    assert pairs == {(0, 1, most), (0, 3, 0), (1, 2, 1), (1, 3, most)}
    assert {other for _, other, _ in alike_pairs(prints, [1])} == {0, 2, 3}
    assert list(alike_pairs(prints, [])) == []


def record(number: int, flipped: range, *, known: bool) -> ImageRecord:
    """Return an image whose picture differs in some bits from what they all have in common."""
    bits = np.zeros(256, np.uint8)
    bits[list(flipped)] = 1
    return ImageRecord(
        number=number,
        name=f"{number}.jpg",
        outcome="clear",
        well=f"{number}",
        plate="",
        published=None,
        digest=b"",
        fingerprint=np.packbits(bits).view(np.uint64),
        bytes=0,
        worth_keeping=False,
        has_objects=False,
        is_chop=False,
        is_drop_known=known,
        chops=(),
    )


def groups_of(records: list[ImageRecord]) -> list[set[int]]:
    groups = division_of(records, Plan()).groups
    return [{at for at, each in enumerate(groups) if each == group} for group in dict.fromkeys(groups)]


@pytest.mark.parametrize("known", [False, True])
def test_images_that_tell_no_drop_are_with_what_looks_like_them(known: bool) -> None:
    apart = [record(number, range(60 * number, 60 * number + 60), known=known) for number in range(4)]
    like_the_first = record(4, range(40), known=known)  # 20 bits of 256
    like_the_second = record(5, range(60, 80), known=known)  # 40 bits
    expected = [{0, 4}, {1}, {2}, {3}, {5}] if known else [{0, 4}, {1, 5}, {2}, {3}]
    assert groups_of([*apart, like_the_first, like_the_second]) == expected


def test_where_most_images_look_alike_they_must_look_more_alike() -> None:
    """Each two are 30 bits apart."""
    records = [record(number, range(15 * number, 15 * number + 15), known=False) for number in range(12)]
    assert groups_of(records) == [{number} for number in range(12)]
    records.append(record(12, range(3, 15), known=False))  # 3 bits from the first
    assert groups_of(records) == [{0, 12}, *({number} for number in range(1, 12))]
