"""The tables of a panel's report: agreement of the experts, their test sets, and how right models are on these."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from crystal_search.bootstrap import Interval
from crystal_search.evaluation.class_f1 import ClassF1, class_f1
from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.panel.consensus import TEST_SETS, Consensus, Opinions
from crystal_search.panel.machine_answers import MachineAnswers
from crystal_search.panel.panel_set import CLASSES
from crystal_search.panel.rater_agreement import NO_ANSWER, cohen_kappa, draws_of, fleiss_kappa, same


def expert_table(opinions: Opinions) -> Table:
    """Return how many images each expert answered, and how often a repeated image got the same answer."""
    draws = draws_of(opinions.first.shape[1])
    rows = []
    for person, first, again in zip(opinions.experts, opinions.first, opinions.again, strict=True):
        agreed, repeated = same(first, again, draws)
        rows.append((person, int((first != NO_ANSWER).sum()), repeated, agreed))
    return table("experts", ("person", "images", "repeated", "self_agreement_percent"), rows)


def pair_table(opinions: Opinions) -> Table:
    """Return how far each two experts agree."""
    draws = draws_of(opinions.first.shape[1])
    rows = []
    for one, other in combinations(range(len(opinions.experts)), 2):
        first, second = opinions.first[one], opinions.first[other]
        agreed, both = same(first, second, draws)
        kappa = cohen_kappa(first, second, len(CLASSES), draws)
        rows.append((opinions.experts[one], opinions.experts[other], both, agreed, kappa))
    return table("pairs", ("person", "other_person", "images", "agreement_percent", "kappa"), rows)


def kappa_table(opinions: Opinions, consensus: Consensus) -> Table:
    """Return how far all experts agree, over all and class by class."""
    draws = draws_of(opinions.first.shape[1])
    kappa = fleiss_kappa(opinions.first, len(CLASSES), draws)
    shares = [draws.mean(consensus.in_set[name].astype(np.float64), opinions.answered) for name in TEST_SETS]
    rows: list[tuple[str, Interval]] = [
        *((f"images that are {name}, share", share) for name, share in zip(TEST_SETS, shares, strict=True)),
        ("Fleiss' kappa", kappa.overall),
        *((f"Fleiss' kappa of {name}", each) for name, each in zip(CLASSES, kappa.by_class, strict=True)),
    ]
    return table("agreement", ("measure", "value", "images"), [(*row, kappa.images) for row in rows])


def confusion_table(opinions: Opinions) -> Table:
    """Return how often two experts named two classes for one image, over all pairs of experts; most often first."""
    counts = opinions.counts
    named = {(one, other): counts[:, one] * counts[:, other] for one, other in combinations(range(len(CLASSES)), 2)}
    rows = [(int(each.sum()), CLASSES[one], CLASSES[other]) for (one, other), each in named.items()]
    ordered = sorted(rows, key=lambda row: -row[0])
    return table("taken-for", ("class", "answer", "count"), ((one, other, times) for times, one, other in ordered))


def set_table(consensus: Consensus) -> Table:
    """Return how many images of each class are in the test sets: Table 4 of King et al. (2024)."""
    rows: list[tuple[str | int, ...]] = [
        (name, *(int((consensus.in_set[each] & (consensus.labels == at)).sum()) for each in TEST_SETS))
        for at, name in enumerate(CLASSES)
    ]
    total: tuple[str | int, ...] = ("total", *(int(consensus.in_set[each].sum()) for each in TEST_SETS))
    return table("test-sets", ("class", "unambiguous_images", "mostly_unambiguous_images"), [*rows, total])


def model_tables(consensus: Consensus, machines: Sequence[MachineAnswers]) -> tuple[Table, Table]:
    """Return F1 by class and mean of each model on each test set; and precision and recall, a row for each class."""
    draws = draws_of(len(consensus.labels))
    found = [
        (each.name, name, class_f1(consensus.labels, each.answers, consensus.in_set[name], draws))
        for each in machines
        for name in TEST_SETS
    ]
    columns = ("network", "test_set", "images", *(f"f1_{name}" for name in CLASSES), "f1_mean")
    rows: list[tuple[Cell, ...]] = [(network, name, each.images, *each.f1, each.mean) for network, name, each in found]
    of_class = [row for network, name, each in found for row in _class_rows(network, name, each)]
    rate_columns = ("network", "test_set", "class", "images", "precision_percent", "recall_percent", "f1_percent")
    return table("models", columns, rows), table("models-by-class", rate_columns, of_class)


def _class_rows(network: str, name: str, found: ClassF1) -> Iterator[tuple[str | int | float, ...]]:
    rates = found.rates
    for at, each in enumerate(CLASSES):
        figures = map(float, (rates.precision[at], rates.recall[at], rates.f1[at]))
        yield network, name, each, int(rates.support[at]), *figures
