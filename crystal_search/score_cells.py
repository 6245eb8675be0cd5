"""The columns that tell an outcome and a machine's score, wherever they stand (docs/columns.md)."""

from collections.abc import Sequence

from crystal_search.columns import Cell
from crystal_search.crystal import Crystal
from crystal_search.group_rule import group_probabilities
from crystal_search.outcomes import BY_NAME, GROUPS
from crystal_search.result import ImageScore

COUNT_COLUMNS = ("crystals_found", "longest_px")
_PEAKS = tuple(f"p_{group}" for group in GROUPS)


def outcome_cells(name: str) -> dict[str, Cell]:
    """Return the columns that tell an outcome; what is none of the 13 has no number and no group.

    >>> outcome_cells("no_drop")
    {'outcome': 'no_drop', 'score_number': None, 'group': None}
    """
    known = BY_NAME.get(name)
    number, group = (known.score_number, known.group.value) if known else (None, None)
    return {"outcome": name, "score_number": number, "group": group}


def ranked_cells(found: ImageScore) -> dict[str, Cell]:
    """Return the columns that tell the ranked score of an image: outcome, probabilities of groups."""
    score = found.score
    cells = outcome_cells(found.outcome)
    cells["probability"] = score.probability if score else None
    cells["above_threshold"] = score is not None and score.above_threshold
    cells.update(zip(_PEAKS, found.group_peaks, strict=False))
    return cells


def count_cells(crystals: Sequence[Crystal] | None) -> dict[str, Cell]:
    """Return how many crystals there are, and how long the longest is; None for what nobody looked for.

    >>> count_cells(None), count_cells(())
    ({'crystals_found': None, 'longest_px': None}, {'crystals_found': 0, 'longest_px': None})
    """
    count = None if crystals is None else len(crystals)
    return {"crystals_found": count, "longest_px": longest_px(crystals or ())}


def longest_px(crystals: Sequence[Crystal]) -> float | None:
    """Return the long side of the longest of these crystals; None where there is none."""
    return max((round(each.long_px, 2) for each in crystals), default=None)


def score_cells(found: ImageScore) -> dict[str, Cell]:
    """Return the columns that tell what was found in an image; those that would say nothing are missing or None."""
    cells = ranked_cells(found) | {"drop_found": found.drop is not None}
    if found.looks:
        cells |= {"looks": found.looks}
    if found.second_group is not None:
        cells |= {"second_group": str(found.second_group)}
        cells |= {"second_probability": max(group_probabilities(found.second_opinion))}
    if found.crystals is not None:
        cells |= count_cells(found.crystals)
    return cells | ({f"drop_{side}": edge for side, edge in found.drop.box._asdict().items()} if found.drop else {})
