"""Tables of populations over time: a row a time, a row a trend, a row a change between neighbouring times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.populations.draw_intervals import drawn_interval
from crystal_search.populations.population import Population
from crystal_search.populations.times import Concentrations
from crystal_search.populations.trend_tests import NOTHING
from crystal_search.populations.trends import (
    AREA,
    COUNT,
    MEDIANS,
    Change,
    Growth,
    Trend,
    changes,
    growth,
    interpolated,
    trends,
)

QUARTERS = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
SAME = "growth of the same crystals"
TREND_COLUMNS = (
    *("measure", "unit", "times", "change_an_hour", "kendall_tau", "mann_kendall_p", "mann_kendall_p_corrected"),
    *("pearson", "spearman"),
)
CHANGE_COLUMNS = ("hours_before", "hours", "measure", "ks_distance", "ks_p", "ks_p_corrected")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Experiment:
    """What is known of an experiment."""

    populations: tuple[Population, ...]
    unit: str  #: ``px`` or ``um``, of lengths
    trends: tuple[Trend, ...]
    growth: Growth
    changes: tuple[Change, ...]
    concentrations: Concentrations | None
    growth_by: str = ""  #: by which crystals growth is told, in a sentence

    def trend(self, measure: str) -> Trend:
        """Return the trend of a measure."""
        return next(each for each in self.trends if each.measure == measure)

    @property
    def unit_of(self) -> Mapping[str, str]:
        """The unit of each measure."""
        lengths = dict.fromkeys(list(MEDIANS)[:2], self.unit)
        return {COUNT: "", AREA: f"{self.unit}2", **dict.fromkeys(MEDIANS, ""), **lengths}


def experiment(
    populations: Sequence[Population], sure: Sequence[Population], unit: str, concentrations: Concentrations | None
) -> Experiment:
    """Return all that populations over time tell, the growth of those crystals alone that are `sure`."""
    return Experiment(
        populations=tuple(populations),
        unit=unit,
        trends=tuple(trends(populations, concentrations)),
        growth=growth(sure),
        changes=tuple(changes(populations)),
        concentrations=concentrations,
    )


def sizes_in(unit: str) -> tuple[str, ...]:
    """Return what the sizes of crystals are called in columns, for lengths in a unit."""
    return f"long_{unit}", f"short_{unit}", "aspect"


def time_columns(unit: str) -> tuple[str, ...]:
    """Return the columns of a row a time, for lengths in a unit."""
    return (
        *("hours", "frames", "crystals", "crystals_cut_off", "crystals_a_frame", f"area_a_frame_{unit}2"),
        *(f"{size}_{quarter}" for size in sizes_in(unit) for quarter in QUARTERS),
        *(f"growth_{unit}_an_hour", "concentration"),
    )


def time_table(found: Experiment) -> Table:
    """Return the table with a row for each time."""
    return table("times", time_columns(found.unit), _time_rows(found))


def _time_rows(found: Experiment) -> Iterator[tuple[Cell, ...]]:
    told = found.concentrations
    for place, each in enumerate(found.populations):
        sizes = [each.quantile(of(each), share) for of in MEDIANS.values() for share in QUARTERS.values()]
        dissolved = None if told is None else float(interpolated(told, found.trend(COUNT).hours)[place])
        yield (
            *(each.hours, each.frames, len(each.long), each.cut_off),
            *(found.trend(name).figures[place] for name in (COUNT, AREA)),
            *(drawn_interval(values, [each.units], least=0.0) for values in sizes),
            *(found.growth.since_before[place], dissolved),
        )


def trend_table(found: Experiment) -> Table:
    """Return the table with a row for each trend, and one for the growth of the same crystals."""
    return table("trends", TREND_COLUMNS, _trend_rows(found))


def _trend_rows(found: Experiment) -> Iterator[tuple[Cell, ...]]:
    yield (SAME, found.unit, len(found.growth.hours), found.growth.a_hour, *(None,) * 3, NOTHING, NOTHING)
    for each in found.trends:
        tested = (each.tau, each.p, each.p_corrected)
        unit = found.unit_of[each.measure]
        yield (each.measure, unit, each.times, each.a_hour, *tested, each.pearson, each.spearman)


def change_table(found: Experiment) -> Table:
    """Return the table with a row for each test of neighbouring times."""
    rows = (
        (each.before, each.after, each.measure.removesuffix(", median"), each.distance, each.p, each.p_corrected)
        for each in found.changes
    )
    return table("changes", CHANGE_COLUMNS, rows)
