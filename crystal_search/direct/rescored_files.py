"""Files scored by a readout beside the shipped score."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crystal_search.adaptation.labelled import seen_of
from crystal_search.adaptation.readout_model import rescoring_of
from crystal_search.adaptation.rescoring import NOTHING, Rescoring, rescored
from crystal_search.columns import Cell
from crystal_search.direct.plates_in_paths import plates_in
from crystal_search.direct.scored_files import COLUMNS, Scored, csv_row, written_rounded
from crystal_search.model import CARD_SUFFIX
from crystal_search.model_card import ReadoutCard
from crystal_search.named_models import Known, named_model
from crystal_search.outcomes import GROUPS
from crystal_search.who_looks import Looks

READOUT_COLUMNS = (*COLUMNS, "readout", *(f"readout_p_{group}" for group in GROUPS), "triage")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UsedReadout:
    """A readout to score files with."""

    name: str
    rescoring: Rescoring


def used_readout(named: str, known: Known, looks: Looks) -> UsedReadout:
    """Return the readout whose card, or weights, are the file `named`, or which is called so among `known`.

    Raises
    ------
    UserError
        If there is none.
    ModelError
        If it cannot be read, is no readout, or reads the answers of other models than those that look.
    """
    weights = named.endswith(ReadoutCard.suffix)
    card = f"{named.removesuffix(ReadoutCard.suffix)}{CARD_SUFFIX}" if weights else named
    model = named_model(card, ReadoutCard, known)
    return UsedReadout(name=model.card.name, rescoring=rescoring_of(model, looks))


def rescored_rows(found: Iterable[Scored], used: UsedReadout, answers: Counter[str]) -> Iterator[dict[str, str]]:
    """Yield the row of each file, the readout's columns last, and count what it answers.

    Whether a plate is like those of the labels shows when all of its images are scored.
    Images without a drop, or without features, get no score by the readout, and nothing is promised of them.
    """
    there = list(found)
    told = [each for each in there if each.score.drop is not None and each.score.features is not None]
    cells: dict[int, dict[str, Cell]] = {}
    if told:
        plates = plates_in([each.path for each in told])
        new = rescored(used.rescoring, seen_of([each.score for each in told]), plates)
        for each, shares, answer in zip(told, new.shares.tolist(), new.answers, strict=True):
            by_group = {f"readout_p_{group}": share for group, share in zip(GROUPS, shares, strict=True)}
            cells[id(each)] = {"readout": used.name, **by_group, "triage": answer}
    for each in there:
        mine = cells.get(id(each), {"triage": NOTHING})
        answers[str(mine["triage"])] += 1
        yield csv_row(each) | written_rounded(mine)
