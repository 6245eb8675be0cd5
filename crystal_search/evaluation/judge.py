"""Where truth and answers meet: what a judge is, and what it leaves for files, cards and the page.

A judge takes known images and a model's answers. It gives verdicts, figures with intervals from drawing wells again,
and a chapter of the page with the worst cases to look at. A new kind of model is judged by a class of this protocol,
in a line of `judge_kinds.JUDGES`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from crystal_search.bootstrap import Interval
from crystal_search.evaluation.known_images import Truth
from crystal_search.evaluation.page_parts import Section
from crystal_search.evaluation.tables import Table
from crystal_search.model import Model
from crystal_search.model_card import Measurement, ModelCard
from crystal_search.outcomes import THRESHOLD
from crystal_search.training.learning_curve import Effort
from crystal_search.training.run_record import RunRecord

if TYPE_CHECKING:
    from crystal_search.training.checkpoints import Trained

V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Contender:
    """A model to judge, with what is known of its training."""

    name: str
    model: Model[ModelCard]
    folder: Path  #: of its card
    companions: Path | None = None  #: folder of the models that go with it; None: the package's own
    record: RunRecord | None = None  #: of its training; None: all that there is, is the model
    trained: "Trained | None" = None  #: a classifier in torch
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How models are judged."""

    thresholds: tuple[float, ...] = (0.5, 0.7, 0.8, THRESHOLD, 0.9)  #: of the ranked score, side by side
    threshold: float = THRESHOLD  #: of all else
    chops: int = 2000  #: at most so many of each split
    wells: int | None = None  #: at most so many images; None: all
    models: Path | None = None  #: folder of the models that go with those that are judged; None: the package's own
    device: str = "cpu"  #: that scores the chops of trainings
    threads: int = 1
    workers: int = 1  #: processes that score files


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its 95 % interval, from drawing wells again; NaN where that would take too long."""

    measure: str
    interval: Interval
    count: int  #: images that it was measured on

    def said(self) -> str:
        """Return the figure as a line of text."""
        value, low, high = self.interval
        between = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
        return f"{self.measure}: {value:.3f}{between}, {self.count} images"

    def measurement(self, data: str) -> Measurement:
        """Return the figure as cards have it; `data` is what it was measured on."""
        return Measurement(data=data, measure=self.measure, value=round(self.interval.value, 4), count=self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What a judge has to say of all that it judged."""

    sentences: tuple[str, ...] = ()  #: what people should know first
    warnings: tuple[str, ...] = ()  #: what makes figures less true
    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()  #: each a CSV file
    files: Mapping[str, bytes] = field(default_factory=dict)  #: others, by name


@dataclass(frozen=True, slots=True, eq=False)
class Judged(Generic[V]):
    """A contender and the verdicts on it."""

    contender: Contender
    verdicts: V

    @property
    def name(self) -> str:
        """What the contender is called."""
        return self.contender.name


class Judge(Protocol[V]):
    """Judges models of one role."""

    def verdicts(self, contender: Contender, truth: Truth, options: Options) -> V:
        """Return what the contender says of everything in `truth` that it can be judged by.

        Raises
        ------
        UserError
            If there is nothing to judge it by.
        """

    def figures(self, verdicts: V) -> Mapping[str, Sequence[Figure]]:
        """Return figures by the role of the model whose card they go into."""

    def chapter(self, judged: Sequence[Judged[V]], truth: Truth, options: Options) -> Chapter:
        """Return what goes to files and page."""
