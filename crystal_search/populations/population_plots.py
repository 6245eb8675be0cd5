"""Plots of populations over time as SVG text."""

from collections.abc import Sequence

import numpy as np

from crystal_search.evaluation.plots import COLOURS, FAINT, INK, new_drawing, style_at
from crystal_search.metrics import Floats
from crystal_search.populations.population import Population, weighted_quantile
from crystal_search.populations.trends import MEDIANS, Trend

MOST_LINES = 6  #: times in a plot of distributions; of more, so many evenly among them
POINTS = 200  #: of a density
FEWEST_FOR_DENSITY = 5  #: crystals
WHISKER = 1.5  #: times the distance of the quartiles, at most (Tukey)


def over_time_plot(panels: Sequence[tuple[str, Trend]]) -> str:
    """Return figures over time with their intervals, one panel each with the name of its axis."""
    with new_drawing(4.3 * len(panels), 3.2, columns=len(panels)) as (drawing, all_axes):
        for place, (axes, (label, trend)) in enumerate(zip(all_axes, panels, strict=True)):
            values = np.array([each.value for each in trend.figures])
            bars = np.array([[each.value - each.low, each.high - each.value] for each in trend.figures]).T
            axes.errorbar(trend.hours, values, np.nan_to_num(bars), capsize=3, markersize=6, **style_at(place))
            axes.set(xlabel="time (h)", ylabel=label)
            axes.set_ylim(bottom=0)
    return drawing.svg


def box_plot(populations: Sequence[Population], unit: str) -> str:
    """Return boxes from quartile to quartile, with the median, of the sizes at each time."""
    labels = (f"long side ({unit})", f"short side ({unit})", "aspect")
    with new_drawing(12.9, 3.4, columns=3) as (drawing, all_axes):
        there = [each for each in populations if len(each.long)]
        hours = [each.hours for each in there]
        width = 0.6 * float(np.diff(hours).min()) if len(hours) > 1 else 0.5
        for axes, label, of in zip(all_axes, labels, MEDIANS.values(), strict=True):
            boxes = [_box(of(each), each.weight) for each in there]
            ink = {"color": INK}
            axes.bxp(
                boxes,
                positions=hours,
                widths=width,
                manage_ticks=False,
                patch_artist=True,
                boxprops={"facecolor": "#cfe0ee", "edgecolor": INK},
                medianprops={"color": COLOURS[1], "linewidth": 2},
                whiskerprops=ink,
                capprops=ink,
                flierprops={"marker": ".", "markersize": 3, "markeredgecolor": FAINT},
            )
            axes.set(xlabel="time (h)", ylabel=label)
            axes.set_ylim(bottom=0)
    return drawing.svg


def _box(values: Floats, weights: Floats) -> dict[str, object]:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    low, middle, high = (float(weighted_quantile(ordered, weights[None, order], q)[0]) for q in (0.25, 0.5, 0.75))
    reach = WHISKER * (high - low)
    within = ordered[(ordered >= low - reach) & (ordered <= high + reach)]
    return {
        "med": middle,
        "q1": low,
        "q3": high,
        "whislo": float(within.min(initial=low)),
        "whishi": float(within.max(initial=high)),
        "fliers": ordered[(ordered < low - reach) | (ordered > high + reach)],
    }


def distribution_plot(populations: Sequence[Population], unit: str) -> str:
    """Return densities (kernels) and cumulative shares of long side and aspect, a line for each of a few times."""
    chosen = few_of([each for each in populations if len(each.long)])
    with new_drawing(12.9, 3.4, columns=3) as (drawing, (density, cumulative, of_aspect)):
        for place, each in enumerate(chosen):
            line = {**style_at(place), "label": f"{each.hours:g} h", "markersize": 5}
            _density(density, each, line)
            for axes, values in ((cumulative, each.long), (of_aspect, each.aspect)):
                order = np.argsort(values, kind="stable")
                share = 100 * np.cumsum(each.weight[order]) / each.weight.sum()
                axes.plot(values[order], share, drawstyle="steps-post", markevery=_every(len(order), place), **line)
        density.set(xlabel=f"long side ({unit})", ylabel=f"share of crystals (per {unit})")
        cumulative.set(xlabel=f"long side ({unit})", ylabel="crystals up to this size (%)", ylim=(0, 102))
        of_aspect.set(xlabel="aspect", ylabel="crystals up to this aspect (%)", ylim=(0, 102))
        for axes in (density, cumulative):
            axes.set_xlim(left=0)
        density.set_ylim(bottom=0)
        cumulative.legend(loc="lower right", title="time")
    return drawing.svg


def few_of(populations: Sequence[Population]) -> list[Population]:
    """Return at most `MOST_LINES` of them, evenly, the first and the last among them."""
    places = np.unique(np.linspace(0, len(populations) - 1, min(MOST_LINES, len(populations))).round().astype(int))
    return [populations[place] for place in places]


def _every(count: int, place: int) -> tuple[int, int]:
    """Return at which points a line of so many has markers."""
    step = max(1, count // 5)
    return min(place * step // MOST_LINES, count - 1), step


def _density(axes: object, population: Population, line: dict[str, object]) -> None:
    """Draw the density of long sides by Gaussian kernels, Scott's width; too few, or all alike, have none."""
    from scipy.stats import gaussian_kde

    values = population.long
    if len(values) < FEWEST_FOR_DENSITY or np.ptp(values) <= 0:
        return
    x = np.linspace(0, 1.1 * values.max(), POINTS)
    found = gaussian_kde(values, weights=population.weight)(x)
    getattr(axes, "plot")(x, found, markevery=_every(POINTS, 0), **line)  # noqa: B009


def concentration_plot(
    hours: Sequence[float], values: Sequence[float], unit: str, trend: Trend, at_times: Floats
) -> str:
    """Return a concentration over time, and what crystals cover against it at the images' times."""
    with new_drawing(8.6, 3.4, columns=2) as (drawing, (over_time, against)):
        label = f"concentration ({unit})" if unit else "concentration"
        over_time.plot(hours, values, markersize=5, **style_at(0))
        over_time.set(xlabel="time (h)", ylabel=label)
        over_time.set_ylim(bottom=min(0.0, *values))
        figures = trend.figures
        y = np.array([each.value for each in figures])
        bars = np.array([[each.value - each.low, each.high - each.value] for each in figures]).T
        against.errorbar(at_times, y, np.nan_to_num(bars), linestyle="none", capsize=3, **style_at(1))
        against.set(xlabel=label, ylabel=trend.measure)
        against.set_ylim(bottom=0)
    return drawing.svg
