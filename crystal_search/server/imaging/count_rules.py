"""Rules by which crystals and disagreements are counted."""

from collections.abc import Iterable

from crystal_search.outcomes import NO_DROP, Group, group_of

Answer = tuple[str | None, bool | None, str | None, int]  #: machine's outcome, above threshold, person's, how many


def tallied(answers: Iterable[Answer]) -> tuple[int, int, int]:
    """Return crystals by the machine, crystals by people, and about how many drops they disagree.

    A score below the threshold says nothing.

    >>> tallied([("crystal_bad_form", True, "clear", 2), ("clear", False, "crystal_bad_form", 3)])
    (2, 3, 2)
    """
    crystals = by_hand = disagreements = 0
    for outcome, above_threshold, person, number in answers:
        machine = _said_by(outcome) if above_threshold or outcome == NO_DROP else ""
        said = _said_by(person)
        crystals += number * (machine == Group.CRYSTAL)
        by_hand += number * (said == Group.CRYSTAL)
        disagreements += number * bool(machine and said and machine != said)
    return crystals, by_hand, disagreements


def _said_by(outcome: str | None) -> str:
    """Return the group of an answer, `no_drop` being one; empty for what says nothing of a drop."""
    if outcome is None or outcome == NO_DROP:
        return outcome or ""
    return str(group_of(outcome) or "")
