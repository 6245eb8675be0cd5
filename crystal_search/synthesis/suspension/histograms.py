"""Whether crystals are distributed as intended: histograms of ratio, angle and area, and tests of uniformity."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.columns import Cell, csv_text
from crystal_search.synthesis.suspension.crystal_model import AREA_RANGE_PX, LARGEST_RATIO

BINS = 20
COLUMNS = ("property", "unit", "from", "to", "found", "intended", "kolmogorov_smirnov_p")
TERMS = 100  #: of the series for the probability


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How one property of crystals is distributed; what is intended is flat."""

    name: str
    unit: str
    edges: NDArray[np.float64]  #: (bins + 1,)
    heights: NDArray[np.float64]  #: (bins,), crystals, or their total area in px^2
    probability: float | None  #: of a distance to the uniform distribution as large as this one; None if not tested


def off_uniform(shares: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest distance of values in [0, 1] from the uniform distribution, and its probability.

    The probability is Kolmogorov's limit with Stephens' (1970) correction for finite samples.

    >>> distance, probability = off_uniform(np.linspace(0.005, 0.995, 100))
    >>> round(distance, 3), round(probability, 2)
    (0.005, 1.0)
    >>> off_uniform(np.linspace(0, 0.9, 100))[1] < 0.3
    True
    """
    ordered, count = np.sort(shares), len(shares)
    after, before = np.arange(1, count + 1) / count, np.arange(count) / count
    distance = float(max((after - ordered).max(), (ordered - before).max()))
    scaled = (np.sqrt(count) + 0.12 + 0.11 / np.sqrt(count)) * distance
    if scaled < 0.2:
        return distance, 1.0
    terms = np.arange(1, TERMS + 1)
    series = 2 * ((-1.0) ** (terms - 1) * np.exp(-2 * terms**2 * scaled**2)).sum()
    return distance, float(np.clip(series, 0, 1))


def spreads(boxes: NDArray[np.float64]) -> list[Spread]:
    """Return the distributions of ratio, angle and total area of rectangles (n, 5)."""
    ratio, area, angle = boxes[:, 2] / boxes[:, 3], boxes[:, 2] * boxes[:, 3], boxes[:, 4]
    found = []
    for name, unit, values, low, high in (
        ("ratio", "", ratio, 1.0, LARGEST_RATIO),
        ("angle", "radians", angle, -np.pi / 2, np.pi / 2),
    ):
        heights, edges = np.histogram(values, BINS, (low, high))
        _, probability = off_uniform(np.clip((values - low) / (high - low), 0, 1))
        found.append(Spread(name, unit, edges, heights.astype(np.float64), probability))
    heights, edges = np.histogram(area, BINS, AREA_RANGE_PX, weights=area)
    found.append(Spread("total area by size", "px^2", edges, heights, None))
    return found


def as_csv(found: list[Spread]) -> str:
    """Return distributions as CSV: one line a bin."""
    rows: list[dict[str, Cell]] = []
    for each in found:
        whole: dict[str, Cell] = {
            "property": each.name,
            "unit": each.unit,
            "intended": round(float(each.heights.mean()), 3),
        }
        probability = None if each.probability is None else round(each.probability, 4)
        for low, high, height in zip(each.edges[:-1], each.edges[1:], each.heights, strict=True):
            ends = {"from": round(float(low), 4), "to": round(float(high), 4)}
            rows.append({**whole, **ends, "found": round(float(height), 1), "kolmogorov_smirnov_p": probability})
    return csv_text(COLUMNS, rows)


def as_picture(found: list[Spread]) -> bytes:
    """Return distributions as a PNG, with what is intended as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, each in zip(figure.subplots(1, len(found)), found, strict=True):
        axes.stairs(each.heights, each.edges, fill=True, color="#9db8d6")
        axes.axhline(each.heights.mean(), color="#222222", linewidth=1)
        tested = "" if each.probability is None else f", p = {each.probability:.2f}"
        axes.set_title(f"{each.name}{tested}")
        axes.set_xlabel(each.unit or "long side over short side")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
