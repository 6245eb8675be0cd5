"""Ways to divide outcomes into classes, and how they map onto each other: one table for all of them.

Every class of every scheme counts as one of the 13 outcomes of `outcomes.OUTCOMES`. From there a label reaches
every scheme that is as coarse or coarser. The sources are Table 1 and section 2.1 of Thielmann et al. (2023) for
13 and 5 classes, Bruno et al. (2018) for MARCO's 4, and Table 1 of King et al. (2024) for VMXi's 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.known_names import among, unknown_name
from crystal_search.outcomes import BY_NAME, OUTCOME_NAMES, OUTCOMES


@dataclass(frozen=True, slots=True)
class SchemeClass:
    """One class of a scheme."""

    name: str  #: in cards, tables and files of this project
    outcome: str  #: the outcome that it counts as; of a class that holds a whole group, the group's general one
    also: tuple[str, ...] = ()  #: how others write it; case, spaces, hyphens and underscores do not matter


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to divide outcomes into classes."""

    name: str
    classes: tuple[SchemeClass, ...]  #: in the order of a network's outputs

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in order."""
        return tuple(each.name for each in self.classes)


#: How others write the 13 outcomes, beside their names and labels; XtalTrak's score numbers are added below.
_ALSO = {"clear_with_features": ("clear with other features",), "crystal_harvestable": ("crystals harvestable",)}


def _outcome_class(index: int) -> SchemeClass:
    outcome = OUTCOMES[index]
    number = () if outcome.name == "rim" else (str(outcome.score_number),)  # a rim has the number of clear
    return SchemeClass(outcome.name, outcome.name, (*number, outcome.label, *_ALSO.get(outcome.name, ())))


_GROUPS = (
    SchemeClass("crystal", "crystal_harvestable", ("crystals",)),
    SchemeClass("precipitate", "precipitate", ("precipitates",)),
    SchemeClass("other", "other", ("others",)),
    SchemeClass("clear", "clear"),
)

#: All schemes by name.
SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("outcomes-13", tuple(map(_outcome_class, range(len(OUTCOMES))))),
        Scheme("groups-5", (*_GROUPS, SchemeClass("rim", "rim"))),
        Scheme("groups-4", _GROUPS),
        Scheme(
            "vmxi-10",
            (
                SchemeClass("vmxi_clear", "clear", ("0", "clear")),
                SchemeClass("vmxi_contaminated", "other", ("1", "contaminated")),
                SchemeClass("vmxi_light_precipitate", "precipitate_good", ("2", "light precipitate")),
                SchemeClass("vmxi_heavy_precipitate", "precipitate_bad", ("3", "heavy precipitate")),
                SchemeClass("vmxi_phase_separation", "phase_separation", ("4", "phase separation")),
                SchemeClass("vmxi_spherulites", "spherulites", ("5", "spherulites")),
                SchemeClass("vmxi_microcrystals", "crystal_overnucleated", ("6", "microcrystals")),
                SchemeClass("vmxi_1d_crystals", "crystal_bad_form", ("7", "1d crystals")),
                SchemeClass("vmxi_2d_crystals", "crystal_bad_form", ("8", "2d crystals")),
                SchemeClass("vmxi_3d_crystals", "crystal_harvestable", ("9", "3d crystals")),
            ),
        ),
    )
}
#: Schemes that a network can be trained for, by the number of their classes.
TRAINABLE = {13: "outcomes-13", 5: "groups-5", 4: "groups-4"}


def scheme_named(name: str) -> Scheme:
    """Return the scheme called `name`.

    Raises
    ------
    UnknownNameError
        If there is none; the message lists those there are.
    """
    return among(SCHEMES, name, "class scheme")


def names_listed(text: str) -> list[str]:
    """Return names from a list with commas, or from a file, one a line.

    Raises
    ------
    UserError
        If the file cannot be read.

    >>> names_listed("clear, rim")
    ['clear', 'rim']
    """
    try:
        listed = Path(text).read_text(encoding="utf-8-sig").splitlines() if Path(text).is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the names of classes in {text}: {error}; save it as text") from error
    return [name.strip() for name in listed if name.strip()]


def scheme_of(classes: Sequence[str]) -> Scheme:
    """Return the scheme whose classes are `classes`, in this order.

    Raises
    ------
    UnknownNameError
        If no scheme has them.
    """
    for scheme in SCHEMES.values():
        if scheme.class_names == tuple(classes):
            return scheme
    raise UnknownNameError(f"no class scheme has the classes {', '.join(classes)}; choose from {', '.join(SCHEMES)}")


def _plain(label: str) -> str:
    return label.strip().casefold().replace("_", " ").replace("-", " ").replace(",", "")


def class_labelled(label: str, scheme: Scheme) -> SchemeClass:
    """Return the class of `scheme` that people write as `label`.

    Raises
    ------
    UnknownNameError
        If the scheme has no such class; the message lists those it has.

    >>> class_labelled("3D Crystals", SCHEMES["vmxi-10"]).outcome
    'crystal_harvestable'
    >>> class_labelled("21", SCHEMES["outcomes-13"]).name
    'crystal_overnucleated'
    """
    for each in scheme.classes:
        if _plain(label) in map(_plain, (each.name, *each.also)):
            return each
    raise unknown_name(scheme.class_names, label, "class", which=f"in the scheme {scheme.name}")


def columns_by_outcome(scheme: Scheme) -> dict[str, int]:
    """Return for every outcome that a label can have the position of its class in a trainable scheme.

    A scheme without a rim calls it clear.

    >>> columns_by_outcome(SCHEMES["groups-4"])["spherulites"], columns_by_outcome(SCHEMES["groups-4"])["rim"]
    (2, 3)
    """
    names = scheme.class_names
    if names == OUTCOME_NAMES:
        return {name: index for index, name in enumerate(names)}
    return {name: names.index("rim" if name == "rim" in names else BY_NAME[name].group.value) for name in OUTCOME_NAMES}


def in_outcomes(probabilities: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
    """Return class probabilities (N, classes) as probabilities of the 13 outcomes, (N, 13).

    What a class of a coarser scheme gets goes to the outcome that it counts as, so that groups keep their sums.

    >>> in_outcomes(np.array([[0.7, 0.1, 0.1, 0.1]]), SCHEMES["groups-4"])[0, [0, 3, 7, 10]].tolist()
    [0.7, 0.1, 0.1, 0.1]
    """
    spread = np.zeros((len(scheme.classes), len(OUTCOMES)))
    for row, each in enumerate(scheme.classes):
        spread[row, OUTCOME_NAMES.index(each.outcome)] = 1.0
    return np.asarray(probabilities @ spread)
