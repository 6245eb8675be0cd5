"""The file of a readout: its weights and what it promises, as JSON.

That needs no library to be read, and is checked number by number.
"""

import json
from dataclasses import asdict

import numpy as np

from crystal_search.adaptation.bent import Bent
from crystal_search.adaptation.readout import ANSWERS, Readout
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, Triage
from crystal_search.errors import ModelError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.metrics import Floats
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES

READOUT_FORMAT, READOUT_VERSION = "crystal-search readout", 2  #: the second knows curves
MAX_NUMBERS = 4096  #: that a classifier has of an image
LARGEST = 1e12  #: number that is read
MOST_KNOTS = 10_000
MOST_PLATES = 100  #: the last that are kept, to compare new ones with
DIGITS = 9  #: of each number; a weight's last digit moves no probability in its sixth


def readout_to_json(rescoring: Rescoring) -> str:
    """Return a readout as the text of its file."""
    readout, triage = rescoring.readout, rescoring.triage
    content = {
        "format": READOUT_FORMAT,
        "version": READOUT_VERSION if readout.bent else 1,
        "groups": [str(group) for group in GROUPS],
        "outcomes": list(OUTCOME_NAMES),
        "numbers": readout.weights.shape[1] - ANSWERS,
        "bias": _rounded(readout.bias),
        "weights": [_rounded(row) for row in readout.weights],
        "triage": asdict(triage),
        "plates": [_rounded(row) for row in rescoring.plates[-MOST_PLATES:]],
    }
    if readout.bent:
        content["curve"] = {"knots": _rounded(readout.bent.knots), "values": _rounded(readout.bent.values)}
    return json.dumps(content, allow_nan=False) + "\n"


def readout_from_json(text: bytes, where: str) -> Rescoring:
    """Return the readout that the file `where` holds as `text`.

    Raises
    ------
    ModelError
        If it is no readout, or one of other groups or outcomes.
    """
    return read_whole(text, where, ModelError, _readout)


def _readout(read: Reader) -> Rescoring:
    version = read.format(READOUT_FORMAT, READOUT_VERSION)
    for key, names in (("groups", tuple(map(str, GROUPS))), ("outcomes", OUTCOME_NAMES)):
        if (got := read.texts(key, limit=100)) != names:
            read.fail(key, ", ".join(names), got)
    numbers = read.integer("numbers", 1, MAX_NUMBERS)
    bias = read.numbers("bias", count=len(GROUPS), low=-LARGEST, high=LARGEST)
    rows = read.items("weights", limit=len(GROUPS), what="rows")
    if len(rows) != len(GROUPS):
        read.fail("weights", f"{len(GROUPS)} rows", len(rows))
    plates = read.items("plates", limit=MOST_PLATES, what="rows")
    weights = np.array([_row(row, numbers + ANSWERS) for row in rows])
    bent = read.object("curve", _bent) if version > 1 else None
    return Rescoring(
        readout=Readout(bias=np.array(bias), weights=weights, bent=bent),
        triage=read.object("triage", _triage),
        plates=np.array([_row(row, numbers + ANSWERS) for row in plates]).reshape(-1, numbers + ANSWERS),
    )


def _bent(read: Reader) -> Bent:
    """Return a curve whose knots and values go up."""
    found = []
    for key in ("knots", "values"):
        row = read.items(key, limit=MOST_KNOTS, what="numbers")
        found.append(np.array(_row(row, len(row), "curve")))
    knots, values = found
    if not len(knots) or len(knots) != len(values):
        read.fail("values", f"{max(1, len(knots))} numbers, one for each knot", len(values))
    if (np.diff(knots) < 0).any() or (np.diff(values) < 0).any():
        read.fail("knots", "ascending knots and values", "others")
    return Bent(knots=knots, values=values)


def _triage(read: Reader) -> Triage:
    return Triage(
        promise=read.object("promise", _promise),
        threshold=read.optional_number("threshold", -LARGEST, LARGEST),
        crystals=read.integer("crystals", 0, 10**9),
        plates=read.integer("plates", 0, 10**9),
        counting=read.integer("counting", 0, 10**9),
        missed=read.integer("missed", 0, 10**9),
        bound=read.number("bound", 0, 1),
    )


def _promise(read: Reader) -> Promise:
    return Promise(missed=read.number("missed", 1e-6, 1), confidence=read.number("confidence", 0.5, 0.999999))


def _row(row: object, count: int, where: str = "weights") -> tuple[float, ...]:
    return Reader({"row": row}, where, ModelError).numbers("row", count=count, low=-LARGEST, high=LARGEST)


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
