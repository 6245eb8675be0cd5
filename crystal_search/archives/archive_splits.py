"""What publishers call the parts of their data."""

import re

from crystal_search.errors import UnknownNameError
from crystal_search.wells import SPLITS

WORDS = {word: word for word in SPLITS} | {
    "training": "train",
    "testing": "test",
    "valid": "validation",
    "val": "validation",
}
_IN_NAME = re.compile(r"train|valid|(?<![a-z])val(?![a-z])|test", re.I)


def split_named(text: str) -> str | None:
    """Return the split that somebody calls `text`, None for nothing.

    Raises
    ------
    UnknownNameError
        If there is none.

    >>> split_named("Val"), split_named("")
    ('validation', None)
    """
    if not text:
        return None
    if text.casefold() not in WORDS:
        raise UnknownNameError(f"no split {text!r}; write {', '.join(SPLITS)} or nothing")
    return WORDS[text.casefold()]


def split_in_name(name: str) -> str | None:
    """Return the split that is part of a file's name, None where none or several are.

    >>> split_in_name("train-00001-of-00407"), split_in_name("marcoTestData.tfrecords"), split_in_name("labels.csv")
    ('train', 'test', None)
    """
    found = {WORDS[part.lower()] for part in _IN_NAME.findall(name)}
    return found.pop() if len(found) == 1 else None
