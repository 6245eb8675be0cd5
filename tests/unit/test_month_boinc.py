"""The played BOINC server keeps to what BOINC's daemons do, as far as a test can say it in a few lines."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.month.boinc_rows import Checked, Copy, Limits, Mask, Outcome, PlayedJob, Step, Where
from benchmarks.month.transitioner import transition
from benchmarks.month.validator import LATER, VALID, Validator

LIMITS = Limits(
    min_quorum=2,
    target_nresults=2,
    max_error_results=2,
    max_total_results=7,
    max_success_results=5,
    delay_bound=100,
)


def job() -> PlayedJob:
    made = PlayedJob(id=1, name="unit_a1", file="unit_a1.zip", limits=LIMITS, priority=0, target=2)
    transition(made, 0)
    return made


def sent(copy: Copy, host: int, *, now_s: float = 0) -> None:
    copy.where, copy.host, copy.account, copy.deadline_s = Where.IN_PROGRESS, host, host, now_s + 100


def validator(answers: dict[str, int], same: Sequence[set[str]] = ()) -> Validator:
    """Answer by the names of copies; those in one set say the same."""

    def compare(paths: Sequence[Path]) -> int:
        return VALID if any({path.name for path in paths} <= group for group in same) else 1

    return Validator(lambda paths: answers.get(paths[0].name, VALID), compare, lambda copy: Path(copy.name))


def returned(made: PlayedJob) -> None:
    for number, copy in enumerate(made.copies, start=1):
        if copy.where is not Where.OVER:
            sent(copy, number)
            copy.ends(Outcome.SUCCESS)


def names(made: PlayedJob) -> set[str]:
    return {copy.name for copy in made.copies}


def files(made: PlayedJob) -> list[Step]:
    return [made.files, *(copy.files for copy in made.copies)]


def test_a_copy_is_made_for_each_result_that_is_wanted() -> None:
    assert names(job()) == {"unit_a1_0", "unit_a1_1"}


def test_a_copy_that_never_comes_back_is_followed_by_another() -> None:
    made = job()
    sent(made.copies[0], 1)
    transition(made, 100)
    assert len(made.copies) == 2
    transition(made, 101)
    assert made.copies[0].outcome is Outcome.NO_REPLY
    assert [copy.where for copy in made.copies] == [Where.OVER, Where.UNSENT, Where.UNSENT]


def test_too_many_errors_end_a_job() -> None:
    made = job()
    for number in range(3):
        sent(made.copies[number], number + 1)
        made.copies[number].ends(Outcome.CLIENT_ERROR)
        transition(made, 1)
    assert (made.mask, made.assimilated) == (Mask.ERRORS, Step.READY)
    assert all(copy.where is Where.OVER for copy in made.copies)


def test_too_many_copies_end_a_job() -> None:
    made = job()
    now_s = 0.0
    while not made.mask:
        for copy in made.copies:
            if copy.where is Where.UNSENT:
                sent(copy, 1, now_s=now_s)
        now_s += 101
        transition(made, now_s)
    assert (made.mask, len(made.copies)) == (Mask.TOTAL, LIMITS.max_total_results)


def test_two_that_agree_are_enough_and_what_is_left_over_is_not_sent() -> None:
    made = job()
    returned(made)
    made.copies.append(Copy(name="unit_a1_2", job=made))
    transition(made, 1)
    assert made.need_validate
    validator({}, [names(made)]).handle(made, 1)
    assert made.canonical is made.copies[0]
    assert [copy.checked for copy in made.copies[:2]] == [Checked.VALID, Checked.VALID]
    assert (made.copies[2].outcome, made.assimilated) == (Outcome.NOT_NEEDED, Step.READY)


def test_two_that_differ_wait_for_a_third_who_decides() -> None:
    made = job()
    returned(made)
    checks = validator({}, [{"unit_a1_1", "unit_a1_2"}])
    checks.handle(made, 1)
    assert ([copy.checked for copy in made.copies], made.target) == ([Checked.INCONCLUSIVE] * 2, 3)
    transition(made, 1)
    returned(made)
    transition(made, 2)
    checks.handle(made, 2)
    assert made.canonical is made.copies[1]
    assert [copy.checked for copy in made.copies] == [Checked.INVALID, Checked.VALID, Checked.VALID]


def test_an_invalid_result_is_an_error_of_its_copy() -> None:
    made = job()
    returned(made)
    validator({"unit_a1_0": 1}).handle(made, 1)
    assert (made.copies[0].outcome, made.copies[0].checked) == (Outcome.VALIDATE_ERROR, Checked.INVALID)
    transition(made, 1)
    assert len(made.copies) == 3


def test_a_script_that_says_later_is_asked_again_with_one_copy_more() -> None:
    made = job()
    returned(made)
    validator({"unit_a1_0": LATER, "unit_a1_1": LATER}).handle(made, 1)
    assert ([copy.checked for copy in made.copies], made.target) == ([Checked.INCONCLUSIVE] * 2, 3)


def test_a_result_that_comes_late_is_compared_with_the_canonical_one() -> None:
    made = job()
    returned(made)
    validator({}, [names(made)]).handle(made, 1)
    late = Copy(name="unit_a1_2", job=made)
    made.copies.append(late)
    sent(late, 3)
    late.ends(Outcome.SUCCESS)
    transition(made, 2)
    validator({}, [{"unit_a1_0", "unit_a1_2"}]).handle(made, 2)
    assert (late.checked, made.canonical) == (Checked.VALID, made.copies[0])


def test_files_are_deleted_when_all_is_over() -> None:
    made = job()
    returned(made)
    validator({}, [names(made)]).handle(made, 1)
    made.assimilated = Step.DONE
    sent(late := Copy(name="unit_a1_2", job=made), 3, now_s=1)
    made.copies.append(late)
    transition(made, 2)
    assert files(made) == [Step.NOT_YET, Step.NOT_YET, Step.READY, Step.NOT_YET]
    late.ends(Outcome.CLIENT_ERROR)
    transition(made, 3)
    assert set(files(made)) == {Step.READY}
