"""The page of a readout: what was gained on which plates, and what its probabilities mean."""

from collections.abc import Iterator, Sequence
from importlib import import_module

from crystal_search.adaptation.adapting import Adapted
from crystal_search.errors import UserError
from crystal_search.evaluation.page_parts import Part, Plot, Section
from crystal_search.evaluation.plots import reliability_plot
from crystal_search.evaluation.report_page import Report, report_page
from crystal_search.evaluation.tables import Cell, table

COLUMNS = ("plate", "network", "images", "auroc")
SHIPPED, READOUT = "shipped score", "readout"
MEANING = (
    "Each point stands for drops of which a score was about equally sure that they have crystals. It lies on the "
    "broken line when as many of them have crystals as it says: of ten drops with 0.8, eight. Below the line a score "
    "is too sure of crystals, above it not sure enough. The readout was not calibrated on the plates of its points."
)
STRAIGHT = "The readout is calibrated by a straight line through its log-odds."
BENT = "The readout is calibrated by a curve that never falls, which is clearly better than a line on plates held out."
OFF_BY = "The expected calibration error is how far points lie from the line, in the mean over drops: {}."


def check_drawing() -> None:
    """Return if pages can be drawn, for who would find out after hours.

    Raises
    ------
    UserError
        If there is no library that draws.
    """
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise UserError("the page needs a library that draws: pip install 'crystal-search[adapt]'") from error


def adaptation_page(found: Adapted, *, about: str, said: Sequence[str], command: str) -> str:
    """Return the page as HTML that needs no other file.

    Parameters
    ----------
    found
        What labels made of the shipped score.
    about
        Whose labels they are.
    said
        What was found, in sentences.
    command
        That made it.
    """
    report = Report(title="Readout", about=about, said=said, sections=(_gain(found), _meaning(found)), command=command)
    return report_page(report)


def _gain(found: Adapted) -> Section:
    told = (
        "How often a drop with crystals comes before one without, of two (AUROC), with 95 % intervals. Every drop was "
        f"scored by a readout that has not seen its {found.gain.held_out}. A plate with only one of both says nothing."
    )
    return Section("What was gained", (told, table("gain", COLUMNS, _rows(found))))


def _rows(found: Adapted) -> Iterator[tuple[Cell, ...]]:
    gain = found.gain
    yield "all", SHIPPED, gain.labels, gain.shipped
    yield "all", READOUT, gain.labels, gain.readout
    for each in gain.plates:
        yield each.plate, SHIPPED, each.labels, each.shipped
        yield each.plate, READOUT, each.labels, each.readout


def _meaning(found: Adapted) -> Section:
    curves = [(SHIPPED, found.shipped.curve), (READOUT, found.trust.curve)]
    plot = Plot(reliability_plot(curves, "drops"), "how often crystals are there, by how sure the score was")
    errors = "; ".join(
        f"{name} {100 * trust.error.value:.1f} % ({100 * trust.error.low:.1f} to {100 * trust.error.high:.1f})"
        for name, trust in ((SHIPPED, found.shipped), (READOUT, found.trust))
    )
    parts: tuple[Part, ...] = (MEANING, OFF_BY.format(errors), BENT if found.readout.bent else STRAIGHT, plot)
    return Section("What its probabilities mean", parts)
