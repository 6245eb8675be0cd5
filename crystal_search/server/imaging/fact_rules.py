"""Rules that every imaging database keeps about plates and wells: who may replace what whom said."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from crystal_search.server.imaging.plate_facts import Condition, Ingredient, Noted, PlateFacts, Source

Verdict = Literal["new", "changed", "same", "held"]
FACTS = ("project", "protein", "owner", "people", "plate_type")  #: the fields of `PlateFacts` that somebody says
_UNKEPT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")  #: no database keeps all of these


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFacts:
    """What is known of a plate, and who said each of it."""

    facts: PlateFacts
    sources: Mapping[str, Source]  #: by field; without those of which nobody has said anything


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCondition:
    """What is in a well, and who said so."""

    condition: Condition
    source: Source


def verdict(known: object, by: Source | None, told: object, source: Source) -> Verdict:
    """Return what becomes of what `source` tells, where `known` is what `by` said before; None: nobody did.

    >>> ispyb, zoe = Source(name="ispyb"), Source(name="Zoë", by_hand=True)
    >>> [verdict("a", zoe, "b", ispyb), verdict("a", ispyb, "b", zoe), verdict("a", ispyb, "a", ispyb)]
    ['held', 'changed', 'same']
    """
    if by is None:
        return "new" if told else "same"
    if not told and (source.by_hand or by != source):
        return "same"
    if told == known:
        return "changed" if source.by_hand and not by.by_hand else "same"
    return "held" if by.by_hand and not source.by_hand else "changed"


def merged(known: KeptFacts | None, told: PlateFacts, source: Source) -> tuple[Verdict, KeptFacts]:
    """Return what is known of a plate after `source` told of it, and what became of that."""
    before = known or KeptFacts(facts=PlateFacts(plate=told.plate), sources={})
    told = cleaned_facts(told)
    verdicts = {
        name: verdict(getattr(before.facts, name), before.sources.get(name), getattr(told, name), source)
        for name in FACTS
    }
    taken = {name: getattr(told, name) for name in FACTS if verdicts[name] in ("new", "changed")}
    sources = {**before.sources, **dict.fromkeys(taken, source)}
    after = KeptFacts(facts=replace(before.facts, **taken, source=said_by(sources)), sources=sources)
    if taken:
        return "changed" if known else "new", after
    return "held" if "held" in verdicts.values() else "same", after


def said_by(sources: Mapping[str, Source]) -> str:
    """Return who said what is known of a plate, in words."""
    return ", ".join(dict.fromkeys(sources[name].name for name in FACTS if name in sources))


def noted(verdicts: Iterable[Verdict]) -> Noted:
    """Count what became of what was told."""
    all_ = list(verdicts)
    return Noted(**{name: all_.count(name) for name in ("new", "changed", "same", "held")})


def last_of(conditions: Iterable[Condition]) -> dict[tuple[str, int, int, int], Condition]:
    """Return by plate, row, column and drop what is said last of each."""
    return {(each.plate, each.row, each.column, each.drop): cleaned_condition(each) for each in conditions}


def shown(kept: Iterable[KeptCondition]) -> list[Condition]:
    """Return what a plate's wells show: nothing empty, and no drop of a well of which a person says what is in it."""
    ordered = sorted(kept, key=lambda each: (*_well(each.condition), each.condition.drop))
    by_hand = {_well(each.condition) for each in ordered if each.source.by_hand and not each.condition.drop}
    return [
        replace(each.condition, source=each.source.name)
        for each in ordered
        if each.condition.text
        and (not each.condition.drop or each.source.by_hand or _well(each.condition) not in by_hand)
    ]


def _well(condition: Condition) -> tuple[int, int]:
    return condition.row, condition.column


def as_kept(text: str) -> str:
    r"""Return text as every database keeps it: letters that one of them refuses are a space.

    >>> as_kept(" 0.1 M\tHEPES\x00\n")
    '0.1 M HEPES'
    """
    return _UNKEPT.sub(" ", text).strip()


def cleaned_facts(facts: PlateFacts) -> PlateFacts:
    """Return facts as every database keeps them."""
    people = tuple(dict.fromkeys(filter(None, map(as_kept, facts.people))))
    texts = {name: as_kept(getattr(facts, name)) for name in FACTS if name != "people"}
    return replace(facts, people=people, **texts)


def cleaned_condition(condition: Condition) -> Condition:
    """Return a condition as every database keeps it."""
    ingredients = tuple(each for each in map(_cleaned_ingredient, condition.ingredients) if each.text)
    return replace(condition, name=as_kept(condition.name), ingredients=ingredients)


def _cleaned_ingredient(ingredient: Ingredient) -> Ingredient:
    texts: dict[str, str] = {name: as_kept(getattr(ingredient, name)) for name in ("name", "unit", "role")}
    return replace(ingredient, **texts)  # type: ignore[arg-type]


def words_of(*texts: str) -> str:
    """Return what is searched: every text in small letters, a line each.

    >>> words_of("PEG 3350", "", "Straße").splitlines()
    ['peg 3350', 'strasse']
    """
    return "\n".join(text.casefold() for text in texts if text)
