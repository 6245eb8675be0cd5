"""Rules by which crystals and disagreements are counted."""

from collections.abc import Iterable

from crystal_search.outcomes import BY_NAME, NO_DROP, Group

Answer = tuple[str | None, bool | None, str | None, int]  #: machine's outcome, above threshold, person's, how many


def tallied(answers: Iterable[Answer]) -> tuple[int, int, int]:
    """Return crystals by the machine, crystals by people, and about how many drops they disagree.

    A score below the threshold says nothing.

    >>> tallied([("crystal_bad_form", True, "clear", 2), ("clear", False, "crystal_bad_form", 3)])
    (2, 3, 2)
    """
    crystals = by_hand = disagreements = 0
    for outcome, above_threshold, person, number in answers:
        machine = group_of(outcome) if above_threshold or outcome == NO_DROP else ""
        said = group_of(person)
        crystals += number * (machine == Group.CRYSTAL)
        by_hand += number * (said == Group.CRYSTAL)
        disagreements += number * bool(machine and said and machine != said)
    return crystals, by_hand, disagreements


def group_of(outcome: str | None) -> str:
    """Return the group of an answer, `no_drop` being one; empty for what says nothing of a drop."""
    if outcome is None or outcome == NO_DROP:
        return outcome or ""
    known = BY_NAME.get(outcome)
    return str(known.group) if known else ""
