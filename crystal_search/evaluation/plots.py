"""Plots as SVG text. Colours are those of Okabe and Ito, told apart by colour-blind people; every line has a marker."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from crystal_search.bootstrap import Interval
from crystal_search.evaluation.images_to_look_at import LOOKED_AT, Looking
from crystal_search.metrics import Floats, Reliability, ratio

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, FAINT = "#1c2126", "#8a929b"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7ea",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "crystal-search",
}


@dataclass
class Drawing:
    """A figure being drawn, and its text once it is done."""

    figure: Any
    svg: str = ""


@contextmanager
def new_drawing(width_in: float, height_in: float, columns: int = 1) -> Iterator[tuple[Drawing, Any]]:
    """Yield a figure and its axes in one row; no window is opened and no global state is touched."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        drawing = Drawing(Figure(figsize=(width_in, height_in), layout="constrained"))
        axes = drawing.figure.subplots(1, columns, squeeze=False)[0]
        yield drawing, axes
        FigureCanvasSVG(drawing.figure)
        stream = io.StringIO()
        drawing.figure.savefig(stream, format="svg", metadata={"Date": None})
        drawing.svg = stream.getvalue()


def style_at(place: int) -> dict[str, Any]:
    """Return the colour and the marker of the line at a `place` in the legend."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def looking_plot(curves: Sequence[tuple[str, Looking]]) -> str:
    """Return the share of crystal wells found against the share of images looked at, with bands."""
    with new_drawing(7.2, 4.2) as (drawing, (axes,)):
        x = 100 * LOOKED_AT
        for place, (name, curve) in enumerate(curves):
            style = style_at(place)
            axes.fill_between(x, 100 * curve.low, 100 * curve.high, color=style["color"], alpha=0.15, linewidth=0)
            axes.plot(x, 100 * curve.found, markevery=(3 * place, 20), markersize=6, label=name, **style)
        axes.plot([0, 100], [0, 100], color=FAINT, linestyle="--", linewidth=1, label="in no order")
        axes.axhline(90, color=FAINT, linestyle=":", linewidth=1)
        axes.set(xlabel="images looked at (% of all, likeliest crystals first)", ylabel="crystal wells found (%)")
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.legend(loc="lower right")
    return drawing.svg


def success_plot(names: Sequence[str], groups: Sequence[str], rates: Sequence[Sequence[Interval]]) -> str:
    """Return success rates by group, one row of `rates` for each network, with their intervals."""
    with new_drawing(7.2, 3.8) as (drawing, (axes,)):
        places = np.arange(len(groups))
        for place, (name, row) in enumerate(zip(names, rates, strict=True)):
            shift = (place - (len(names) - 1) / 2) * 0.16
            values = 100 * np.array([each.value for each in row])
            bars = 100 * np.array([[each.value - each.low, each.high - each.value] for each in row]).T
            axes.errorbar(
                places + shift, values, bars, linestyle="none", capsize=3, markersize=7, label=name, **style_at(place)
            )
        axes.set_xticks(places, groups)
        axes.grid(visible=False, axis="x")
        axes.set(ylabel="success rate of whole images (%)", ylim=(-3, 103), xlim=(-0.6, len(groups) - 0.4))
        _legend_above(axes, len(names))
    return drawing.svg


def threshold_plot(thresholds: Sequence[float], lines: Sequence[tuple[str, Floats, Floats]]) -> str:
    """Return crystal success rate and weighted mean against the threshold; a line is name, crystal, mean."""
    with new_drawing(8.6, 3.6, columns=2) as (drawing, both):
        for axes, column, title in zip(both, (1, 2), ("crystal", "weighted mean of all groups"), strict=True):
            for place, line in enumerate(lines):
                axes.plot(100 * np.array(thresholds), 100 * line[column], label=line[0], **style_at(place))
            axes.set(xlabel="threshold (%)", ylim=(-3, 103))
            axes.set_title(title, fontsize=10, loc="left")
        both[0].set_ylabel("success rate of whole images (%)")
        both[0].legend(loc="best")
    return drawing.svg


def confusion_plot(counts: Floats, truths: Sequence[str], answers: Sequence[str]) -> str:
    """Return a confusion matrix, truth in rows, shaded by the share of each row, with the counts written in."""
    side = 0.42 if len(answers) > 6 else 0.62
    with new_drawing(2.2 + side * len(answers), 1.5 + side * len(truths)) as (drawing, (axes,)):
        shares = np.nan_to_num(ratio(counts, np.repeat(counts.sum(axis=1, keepdims=True), counts.shape[1], axis=1)))
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.5
            text = f"{counts[row, column]:.0f}"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color="white" if dark else INK)
        axes.set_xticks(np.arange(len(answers)) + 0.5, answers, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(np.arange(len(truths)) + 0.5, truths)
        axes.grid(visible=False)
        axes.set(xlabel="answer", ylabel="truth", ylim=(len(truths), 0), aspect="equal")
    return drawing.svg


def reliability_plot(curves: Sequence[tuple[str, Reliability]], counted: str = "chops") -> str:
    """Return how often answers are right against how sure they were, with how many answers are how sure."""
    with new_drawing(8.6, 3.8, columns=2) as (drawing, (axes, counts)):
        axes.plot([0, 100], [0, 100], color=FAINT, linestyle="--", linewidth=1, label="as it should be")
        for place, (name, curve) in enumerate(curves):
            there = curve.counts > 0
            label = f"{name}: ECE {100 * curve.ece:.1f} %"
            axes.plot(100 * curve.confidence[there], 100 * curve.accuracy[there], label=label, **style_at(place))
            middles = 50 * (curve.edges[:-1] + curve.edges[1:])
            counts.plot(middles, curve.counts, **style_at(place), linewidth=1)
        axes.set(xlabel="how sure the answer was (%)", ylabel="how often it was right (%)")
        axes.set(xlim=(0, 102), ylim=(-3, 103))
        axes.legend(loc="best")
        counts.set(xlabel="how sure the answer was (%)", ylabel=counted, xlim=(0, 102))
        counts.set_ylim(bottom=0)
    return drawing.svg


def overlap_plot(overlaps: Floats) -> str:
    """Return a histogram of the intersections over union (N,) of drops, in [0, 1], how many above each bar."""
    with new_drawing(7.2, 3.2) as (drawing, (axes,)):
        _, _, bars = axes.hist(overlaps, bins=20, range=(0, 1), color=COLOURS[0], rwidth=0.94)
        axes.bar_label(bars, labels=[f"{bar.get_height():.0f}" if bar.get_height() else "" for bar in bars])
        axes.set(xlabel="intersection over union", ylabel="images", xlim=(0, 1))
    return drawing.svg


def _legend_above(axes: Any, count: int) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(count, 4))
