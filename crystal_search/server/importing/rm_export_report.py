"""When images of Formulatrix' RM_Image_export were taken: its ``report.csv`` says it, their names do not.

Its first line is when the plate was dispensed; the others are a path on the computer that exported, a score, the word
``Drop`` and a time, ``01/31/26 15:30:00``, month first.
"""

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from crystal_search.name_parts import ReadName
from crystal_search.spreadsheets import decoded

REPORT = "report.csv"
MAX_REPORT_BYTES = 50_000_000
_TIME = re.compile(r"([0-9]{2})\D([0-9]{2})\D([0-9]{2}) ([0-9]{2})\D([0-9]{2})\D([0-9]{2})")


def dated(names: Sequence[tuple[str, ReadName]]) -> list[tuple[str, ReadName]]:
    """Return names with the times that reports in the folders around them give."""
    times: dict[Path, dict[str, datetime]] = {}

    def taken(file: Path) -> datetime | None:
        for folder in (file.parent, file.parent.parent):
            if folder not in times:
                times[folder] = _times_in(folder / REPORT)
        return times[file.parent].get(file.name.casefold()) or times[file.parent.parent].get(file.name.casefold())

    return [(path, replace(name, taken=taken(Path(path)))) for path, name in names]


def _times_in(report: Path) -> dict[str, datetime]:
    """Return by file name the times in a report; none where there is no report, or it is something else."""
    times: dict[str, datetime] = {}
    with suppress(OSError, ValueError, csv.Error):
        if report.stat().st_size > MAX_REPORT_BYTES:
            return {}
        for row in csv.reader(decoded(report.read_bytes()).splitlines()):
            if len(row) == 4 and (taken := _time_of(row[3])):
                times[re.split(r"[\\/]", row[0])[-1].casefold()] = taken
    return times


def _time_of(text: str) -> datetime | None:
    """Return the time in a report.

    >>> _time_of("01/31/26 15:30:00")
    datetime.datetime(2026, 1, 31, 15, 30)
    """
    if not (found := _TIME.fullmatch(text.strip())):
        return None
    month, day, year, hour, minute, second = map(int, found.groups())
    try:
        return datetime(2000 + year, month, day, hour, minute, second)
    except ValueError:
        return None
