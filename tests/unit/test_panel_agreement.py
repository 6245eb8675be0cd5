"""Agreement of raters, computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.evaluation.class_f1 import class_f1
from crystal_search.panel.consensus import MOSTLY, UNAMBIGUOUS, Opinions, consensus_of
from crystal_search.panel.panel_tables import confusion_table, expert_table, pair_table, set_table
from crystal_search.panel.rater_agreement import NO_ANSWER, Answers, cohen_kappa, draws_of, fleiss_kappa, same

_ = NO_ANSWER
#: Counts of the worked example that people know from many textbooks: 10 subjects, 14 raters, 5 classes; kappa 0.210.
COUNTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def answers_of(counts: list[list[int]]) -> Answers:
    """Return answers (raters, images) that are counted so."""
    return np.array([[each for each, times in enumerate(row) for _ in range(times)] for row in counts]).T


def opinions(*first: list[int], again: Answers | None = None) -> Opinions:
    answers = np.array(first)
    names = tuple("ABCDE"[: len(first)])
    return Opinions(names, answers, np.full_like(answers, NO_ANSWER) if again is None else again)


class TestFleiss:
    def test_the_textbook_example(self) -> None:
        found = fleiss_kappa(answers_of(COUNTS), 5, draws_of(10))
        assert found.overall.value == pytest.approx(0.2099, abs=5e-5)
        assert found.overall.low < found.overall.value < found.overall.high
        assert found.images == 10

    def test_two_classes_by_hand(self) -> None:
        # P_i = 1, 1/3, 1/3, 1; mean 2/3. p = 7/12, 5/12; sum of squares 74/144. kappa = (96 - 74) / (144 - 74).
        found = fleiss_kappa(np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 0, 1]]), 2, draws_of(4))
        assert found.overall.value == pytest.approx(22 / 70)
        # With two classes, each is told from the other as well as both are.
        assert [each.value for each in found.by_class] == pytest.approx([22 / 70, 22 / 70])

    def test_images_that_somebody_left_out_do_not_count(self) -> None:
        answers = np.array([[0, 0, 0, 1, 0], [0, 0, 1, 1, _], [0, 1, 0, 1, 1]])
        found = fleiss_kappa(answers, 2, draws_of(5))
        assert found.images == 4
        assert found.overall.value == pytest.approx(22 / 70)

    def test_all_agree_on_several_classes(self) -> None:
        assert fleiss_kappa(np.array([[0, 1, 2]] * 3), 3, draws_of(3)).overall.value == pytest.approx(1)

    def test_one_class_alone_says_nothing(self) -> None:
        found = fleiss_kappa(np.zeros((3, 4), np.int64), 2, draws_of(4))
        assert math.isnan(found.overall.value)
        assert math.isnan(found.by_class[1].value)

    @given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=30))
    def test_neither_the_order_of_raters_nor_names_of_classes_matter(self, rows: list[list[int]]) -> None:
        answers, draws = np.array(rows).T, draws_of(len(rows))
        turned = fleiss_kappa((3 - answers)[::-1], 4, draws).overall.value
        assert fleiss_kappa(answers, 4, draws).overall.value == pytest.approx(turned, nan_ok=True)


class TestPairs:
    def test_agreement_is_of_images_that_both_answered(self) -> None:
        found, both = same(np.array([0, 1, 2, _]), np.array([0, 1, 1, 3]), draws_of(4))
        assert found.value == pytest.approx(2 / 3)
        assert both == 3

    def test_kappa_by_hand(self) -> None:
        # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: agreed 0.7, by chance 0.5.
        first = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
        second = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
        assert cohen_kappa(first, second, 2, draws_of(50)).value == pytest.approx(0.4)

    def test_a_row_for_each_pair(self) -> None:
        rows = pair_table(opinions([0, 1], [0, 2], [0, 1])).records()
        found = [(row["person"], row["other_person"], row["agreement_percent"]) for row in rows]
        assert found == [("A", "B", 50.0), ("A", "C", 100.0), ("B", "C", 50.0)]

    def test_agreement_with_oneself_is_of_repeated_images(self) -> None:
        again = np.array([[_, 1, 0, _], [_, _, _, _]])
        (first, second) = expert_table(opinions([0, 1, 1, 3], [0, 1, 1, _], again=again)).records()
        assert (first["images"], first["repeated"], first["self_agreement_percent"]) == (4, 2, 50.0)
        assert (second["images"], second["repeated"], second["self_agreement_percent"]) == (3, 0, None)

    def test_what_is_taken_for_what(self) -> None:
        # Image 1: one says 0, two say 2: two pairs. Image 2: three pairs of different classes.
        table = confusion_table(opinions([0, 1], [2, 2], [2, 3]))
        counted = {(row[0], row[1]): row[2] for row in table.rows}
        assert counted["crystal", "other"] == 2
        assert counted["precipitate", "other"] == counted["other", "clear"] == counted["precipitate", "clear"] == 1
        assert table.rows[0][:2] == ("crystal", "other")


class TestSets:
    def test_three_experts_as_in_the_paper(self) -> None:
        found = consensus_of(opinions([0, 0, 0, 3, 0], [0, 0, 1, 3, 0], [0, 1, 2, 3, _]))
        assert found.in_set[UNAMBIGUOUS].tolist() == [True, False, False, True, False]
        assert found.in_set[MOSTLY].tolist() == [True, True, False, True, False]
        assert found.labels.tolist() == [0, 0, _, 3, _]

    def test_half_of_four_is_no_majority(self) -> None:
        found = consensus_of(opinions([0, 0], [0, 0], [1, 0], [1, 1]))
        assert found.in_set[MOSTLY].tolist() == [False, True]

    def test_table_4(self) -> None:
        table = set_table(consensus_of(opinions([0, 0, 3], [0, 0, 3], [0, 1, 3])))
        assert table.rows == (
            ("crystal", 1, 2),
            ("precipitate", 0, 0),
            ("other", 0, 0),
            ("clear", 1, 1),
            ("total", 2, 3),
        )


class TestF1:
    def test_by_hand(self) -> None:
        labels = np.array([0, 0, 0, 1, 1, 3, 3, _])
        answers = np.array([0, 0, 1, 1, 0, 3, 4, 0])  # 4: none of them
        found = class_f1(labels, answers, labels != _, draws_of(8))
        # crystal: 2 right of 3, 3 answered. precipitate: 1 of 2, 2 answered. clear: 1 of 2, 1 answered.
        assert [each.value for each in found.f1[:2]] == pytest.approx([4 / 6, 2 / 4])
        assert math.isnan(found.f1[2].value)
        assert found.f1[3].value == pytest.approx(2 / 3)
        assert found.mean.value == pytest.approx((4 / 6 + 1 / 2 + 2 / 3) / 3)
        assert found.images == 7

    def test_images_that_were_not_scored_do_not_count(self) -> None:
        labels = np.array([0, 1, 1])
        found = class_f1(labels, np.array([0, 1, _]), np.ones(3, np.bool_), draws_of(3))
        assert (found.images, found.mean.value) == (2, 1.0)
