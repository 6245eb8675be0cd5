"""The page of populations over time."""

import math
from collections.abc import Iterator, Sequence
from importlib import import_module

from crystal_search.bootstrap import Interval
from crystal_search.errors import UserError
from crystal_search.evaluation.page_parts import Part, Plot, Section
from crystal_search.evaluation.report_page import Report, report_page
from crystal_search.populations.frame_tests import FEWEST_CRYSTALS
from crystal_search.populations.population_plots import (
    box_plot,
    concentration_plot,
    distribution_plot,
    over_time_plot,
)
from crystal_search.populations.population_tables import Experiment, change_table, sizes_in, time_table, trend_table
from crystal_search.populations.trend_tests import FEWEST_TIMES, least_p
from crystal_search.populations.trends import AREA, COUNT, Trend, interpolated

LIBRARIES = ("scipy", "matplotlib")
SIGNIFICANT = 0.05
UNITS = {"px": "px", "um": "µm"}
HOW = (
    "Crystals that come within 2 px of the border may go on behind it and are left out (cut off). Large ones are "
    "cut off more often, so each of the others counts by the inverse of the part of the frame in which its box "
    "would lie wholly inside (Miles and Lantuejoul). Where the size of the images is not known all count once.",
    "Numbers in brackets are 95 % intervals: frames of each time were drawn again 1000 times; where a time has "
    "one frame alone, its crystals were. Few frames scatter too little when they are drawn again, and tell little of "
    "how much they do: both is made up for (Student's t). They tell what other frames of the same suspension would "
    "have given, not what another experiment would, nor how far the detector errs. Where all draws are alike there is "
    "no interval.",
    "Growth of the same crystals: of two times the one with fewer crystals a frame has the same as the largest of "
    "the other, as many of them, since crystals that come later are smaller. Of these, those at the same place among "
    "the largest are compared, from a tenth to six tenths of them; the growth is the median difference of their long "
    "sides, and of that, an hour, the median over all pairs of times. Only crystals that are probable tell it. Where "
    "the card of the detector says how often it finds crystals of a size, as a share of how often it finds the "
    "largest, each counts by the inverse of that, and smaller ones than were measured do not count. "
    "The median of all crystals grows slower while new ones come. Small crystals that are missed make the growth too "
    "large where nobody knows their share, and false ones too small.",
    "Other changes an hour are Theil-Sen slopes, the median of the slopes between all pairs of times. The Mann-"
    "Kendall test is Kendall's tau-b of the figure of each time against time: frames of one time are no times of "
    "their own. Its p is at least 2 over the number of orders that so many times can have: 0.33 with three times, "
    "0.083 with four, 0.017 with five. Neighbouring times are compared by the "
    "two-sided test of Kolmogorov and Smirnov, of the crystals that are not cut off, each once, where both times "
    f"have {FEWEST_CRYSTALS} or more. Frames have light and focus of their own, so that p is the share of the ways to "
    "divide all frames among the two times in which they are as far apart: at least 0.1 with three frames each, 0.03 "
    "with four. Where both times have one frame, crystals count as independent, and p is too small.",
    "Probabilities are corrected for how many tests there are by Benjamini and Hochberg, those of each table "
    f"together: of all differences called with a corrected p below {SIGNIFICANT}, one in twenty is expected to be "
    "none.",
    "Concentrations are those on straight lines between measurements; times before the first or after the last "
    "one count for no correlation. A correlation is over times: with few of them nearly all that only rises or "
    "falls correlates. Its interval is Fisher's, of four times or more, and none where the order agrees wholly.",
)


def check_libraries() -> None:
    """Return if there is all that statistics and plots need, for who would find out after hours.

    Raises
    ------
    UserError
        If there is not.
    """
    try:
        for name in LIBRARIES:
            import_module(name)
    except ImportError as error:
        raise UserError(f"populations need {error.name}: pip install 'crystal-search[populations]'") from error


def population_page(found: Experiment, *, about: str, warnings: Sequence[str], command: str) -> str:
    """Return the page as HTML that needs no other file.

    Parameters
    ----------
    found
        All that is told.
    about
        Of which images, and where their times are from.
    warnings
        What makes figures less true.
    command
        That made it.
    """
    sections = [_over_time(found), _sizes(found), _tests(found)]
    if found.concentrations is not None:
        sections.append(_concentration(found))
    sections.append(Section("How it was reckoned", HOW))
    return report_page(
        Report(
            title="Crystals over time",
            about=about,
            said=tuple(said(found)),
            warnings=warnings,
            sections=sections,
            command=command,
        )
    )


def said(found: Experiment) -> Iterator[str]:
    """Yield what was found in sentences."""
    first, last = found.populations[0], found.populations[-1]
    times, frames = len(found.populations), sum(each.frames for each in found.populations)
    crystals = sum(len(each.long) for each in found.populations)
    yield f"{crystals} crystals in {frames} frames at {times} times, from {first.hours:g} to {last.hours:g} h."
    yield " ".join(filter(None, (_growth(found), found.growth_by)))
    counts = found.trend(COUNT)
    ends = f"{_bracketed(counts.figures[0])} at first, {_bracketed(counts.figures[-1])} at last"
    yield f"Crystals a frame: {ends}; {_trend(counts)}."
    if not math.isnan((pearson := found.trend(AREA).pearson).value):
        yield f"What crystals cover correlates with the concentration by {_bracketed(pearson)} (Pearson)."


def _growth(found: Experiment) -> str:
    if math.isnan(found.growth.a_hour.value):
        needed = f"it takes {FEWEST_TIMES} times with {FEWEST_CRYSTALS} sure crystals or more"
        return f"Growth is not told: {needed}; --growth-from PROBABILITY says which are sure."
    since = f"from {found.growth.hours[0]:g} to {found.growth.hours[-1]:g} h"
    a_hour = f"{_bracketed(found.growth.a_hour)} {UNITS[found.unit]} an hour"
    return f"The same crystals grow by {a_hour} along their long side, {since}."


def _trend(counts: Trend) -> str:
    p = counts.p_corrected
    if math.isnan(p):
        return "too few times for a test of a trend"
    if (least := least_p(counts.times)) >= SIGNIFICANT:
        return f"{counts.times} times are too few to prove a trend (p is {least:.2g} at least)"
    way = "rise" if counts.tau > 0 else "fall"
    return (
        f"they {way} (Mann-Kendall, corrected p {p:.2g})"
        if p < SIGNIFICANT
        else f"no trend is proven (corrected p {p:.2g})"
    )


def _bracketed(figure: Interval) -> str:
    if math.isnan(figure.low):
        return f"{figure.value:.3g}"
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})"


def _over_time(found: Experiment) -> Section:
    unit = UNITS[found.unit]
    long = next(each for each in found.trends if each.measure.startswith("long"))
    panels = [("crystals a frame", found.trend(COUNT)), (f"crystal area a frame ({unit}²)", found.trend(AREA))]
    panels.append((f"median long side ({unit})", long))
    plot = Plot(over_time_plot(panels), "crystals a frame, their area and their median length over time")
    counts = time_table(found).only_columns(
        *("hours", "frames", "crystals", "crystals_cut_off", "crystals_a_frame", f"area_a_frame_{found.unit}2"),
        *(f"growth_{found.unit}_an_hour", "concentration"),
    )
    errs = "Intervals leave out what the detector gets wrong: false crystals, missed ones, sides too long or short."
    return Section("Over time", (plot, errs, trend_table(found).columns_but("pearson", "spearman"), counts))


def _sizes(found: Experiment) -> Section:
    unit = UNITS[found.unit]
    parts: tuple[Part, ...] = (
        "Boxes reach from quartile to quartile, the line is the median; whiskers reach to the farthest crystal within "
        "one and a half times as much, points are crystals beyond.",
        Plot(box_plot(found.populations, unit), "box plots of long side, short side and aspect at each time"),
        time_table(found).only_columns("hours", *(f"{size}_median" for size in sizes_in(found.unit))),
        "Densities by Gaussian kernels of Scott's width, and shares of crystals up to a size.",
        Plot(distribution_plot(found.populations, unit), "densities and cumulative distributions at some times"),
    )
    return Section("Sizes", parts)


def _tests(found: Experiment) -> Section:
    proven = sum(each.p_corrected < SIGNIFICANT for each in found.changes)
    tested = sum(not math.isnan(each.p) for each in found.changes)
    text = f"{proven} of {tested} tests of neighbouring times find a difference (corrected p below {SIGNIFICANT})."
    return Section("Neighbouring times", (text, change_table(found)))


def _concentration(found: Experiment) -> Section:
    told = found.concentrations
    if told is None:
        return Section("Concentration", ())
    area = found.trend(AREA)
    svg = concentration_plot(told.hours, told.values, told.unit, area, interpolated(told, area.hours))
    correlations = trend_table(found).only_columns("measure", "pearson", "spearman")
    return Section(
        "Concentration", (Plot(svg, "concentration over time, and what crystals cover against it"), correlations)
    )
