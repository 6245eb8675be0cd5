"""``python -m benchmarks.bench_promise``: whether promises of the triage are kept, on simulated imagers."""

import argparse
import sys
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from benchmarks.simulated_imagers import Imager
from benchmarks.table import Row, table
from crystal_search.adaptation.adapting import promised
from crystal_search.adaptation.bent import Bent
from crystal_search.adaptation.calibrating import AS_IT_IS, calibration_of, with_calibration
from crystal_search.adaptation.held_out import CHOICES, held_out, learnt
from crystal_search.adaptation.labelled import CRYSTAL, Labelled
from crystal_search.adaptation.new_plates import is_another, plate_means
from crystal_search.adaptation.readout import scale_of
from crystal_search.adaptation.triage import Promise, Triage
from crystal_search.outcomes import GROUPS

WELLS = 48
FRESH = 600  #: plates on which promises are tried
MOVED = 2.0  #: shift of all numbers of plates that are not like the others, in spreads of one number


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one imager's promise."""

    found: Triage
    by_curve: bool  #: whether the readout was calibrated by a curve, not a line
    missed: float  #: share of fresh crystals below the threshold; NaN without a promise
    look: float  #: share of fresh wells to look at; 1 without a promise
    false_alarms: float  #: share of plates like the others that were called another
    alarms: float  #: share of plates unlike the others that were


def outcome_of(imager: Imager, plates: int, promise: Promise) -> Outcome:
    """Return what a promise is worth that was made on labels of so many plates."""
    labelled, fresh = imager.drops(plates, WELLS, "old"), imager.drops(FRESH, WELLS, "new")
    scale = scale_of(labelled.seen)
    logits = held_out(labelled, scale, CHOICES[:1]).logits[:, CRYSTAL]
    calibration = calibration_of(logits, labelled.crystal, labelled.plates)
    others = (AS_IT_IS,) * (len(GROUPS) - 1)
    readout = with_calibration(learnt(labelled, scale, CHOICES[0]), (calibration, *others))
    made = promised(labelled, logits, calibration, promise)
    new = readout.logits(fresh.seen)[:, CRYSTAL]
    moved = imager.drops(20, WELLS, "moved", moved=MOVED)
    return Outcome(
        found=made,
        by_curve=isinstance(calibration, Bent),
        missed=float((new[fresh.crystal] < made.threshold).mean()) if made.threshold is not None else float("nan"),
        look=float((new >= made.threshold).mean()) if made.threshold is not None else 1.0,
        false_alarms=_alarms(labelled, fresh.of(np.arange(len(fresh)) < 40 * WELLS)),
        alarms=_alarms(labelled, moved),
    )


def _alarms(labelled: Labelled, others: Labelled) -> float:
    old = np.array(list(plate_means(labelled.seen, labelled.plates).values()))
    return float(np.mean([is_another(old, mean) for mean in plate_means(others.seen, others.plates).values()]))


def rows(imager: Imager, imagers: int, plates: int, promise: Promise) -> list[Row]:
    """Return what became of the promises of many imagers that are like `imager`."""
    drawn = [replace(imager, seed=seed) for seed in range(imagers)]
    found = [outcome_of(each, plates, promise) for each in tqdm(drawn, disable=not sys.stderr.isatty())]
    given = [each for each in found if each.found.threshold is not None]
    broken = sum(each.missed > promise.missed for each in given)
    allowed = round((1 - promise.confidence) * imagers)
    crystals, counting = (np.mean([getattr(each.found, name) for each in found]) for name in ("crystals", "counting"))
    head = f"{plates} plates, {imager.unlike:g} between them, {promise.missed:.0%} missed"
    return [
        Row(f"{head}: promises given", f"{len(given)} of {imagers}"),
        Row("  calibrated by a curve", f"{sum(each.by_curve for each in found)} of {imagers}"),
        Row("  labelled crystals, and as how many they count", f"{crystals:.0f}, {counting:.0f}"),
        Row("  promises broken", f"{broken} of {imagers}", f"<= {allowed}", broken <= allowed),
        Row("  crystals missed, mean", f"{np.mean([each.missed for each in given]):.2%}" if given else "-"),
        Row("  wells to look at, mean", f"{np.mean([each.look for each in given]):.0%}" if given else "-"),
        Row("  plates like the others called another", f"{np.mean([each.false_alarms for each in found]):.1%}"),
        Row("  plates unlike the others called another", f"{np.mean([each.alarms for each in found]):.1%}"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagers", type=int, default=200)
    parser.add_argument("--plates", type=int, default=60)
    parser.add_argument("--unlike", type=float, nargs="+", default=[0.2, 0.5, 1.0])
    parser.add_argument("--missed", type=float, nargs="+", default=[0.01, 0.05])
    parser.add_argument(
        "--lookalikes",
        type=float,
        default=0.0,
        help="share of drops without crystals that look like some with; with 0.2 a curve is taken for most imagers",
    )
    options = parser.parse_args()
    cases = [
        (Imager(seed=0, unlike=unlike, lookalikes=options.lookalikes), Promise(missed=missed))
        for unlike in options.unlike
        for missed in options.missed
    ]
    told = [rows(imager, options.imagers, options.plates, promise) for imager, promise in cases]
    print(table([row for each in told for row in each]))
    sys.exit(any(row.reached is False for each in told for row in each))
