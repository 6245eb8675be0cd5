"""From what people wrote beside an image to one of the 13 outcomes, or ``no_drop``."""

from crystal_search.class_schemes import SCHEMES, Scheme, class_labelled
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.outcomes import CHOPS_ONLY, NO_DROP


class Labels:
    """The labels of one archive; each is looked up once."""

    def __init__(self, scheme: Scheme, *, chops: bool = False) -> None:
        self.scheme = scheme
        self.chops = chops
        self._known: dict[str, str] = {}

    def outcome(self, label: str) -> str:
        """Return the outcome that `label` counts as.

        Raises
        ------
        UserError
            If the scheme has no such class, or it is one that only chops have and these are whole images.

        >>> Labels(SCHEMES["groups-4"]).outcome("Crystals"), Labels(SCHEMES["groups-4"]).outcome("No drop")
        ('crystal_harvestable', 'no_drop')
        """
        if label not in self._known:
            self._known[label] = self._looked_up(label)
        return self._known[label]

    def _looked_up(self, label: str) -> str:
        if "_".join(label.replace("-", " ").replace("_", " ").casefold().split()) == NO_DROP:
            return NO_DROP
        try:
            outcome = class_labelled(label, self.scheme).outcome
        except UnknownNameError as error:
            raise UnknownNameError(f"{error}, {NO_DROP}; {self._advice(label)}") from error
        if outcome == CHOPS_ONLY and not self.chops:
            raise UserError(f"no whole image shows a {CHOPS_ONLY}, only chops do; call these images clear")
        return outcome

    def _advice(self, label: str) -> str:
        others = [name for name, scheme in SCHEMES.items() if scheme is not self.scheme and _knows(scheme, label)]
        if others:
            return f"rename it, or read the archive in another scheme ({', '.join(others)} has it)"
        return "rename it, or take it out"


def _knows(scheme: Scheme, label: str) -> bool:
    try:
        class_labelled(label, scheme)
    except UnknownNameError:
        return False
    return True
