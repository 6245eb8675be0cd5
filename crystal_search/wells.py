"""Where an image belongs: plate, well, drop, inspection, channel."""

import re
from dataclasses import dataclass
from itertools import pairwise

from crystal_search.known_names import unknown_name

CHANNELS = ("visible", "uv", "cross-polarised", "shg")
REMOVED = "removed"  #: in place of the channel, of an image that was taken back
SPLITS = ("train", "validation", "test")  #: of what networks learn from and are judged by; no well is in two
PLATE_FORMATS = {48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}  #: wells -> rows, columns

#: What robots and people write for a channel, in small letters and without signs between.
CHANNEL_WORDS = {
    "visible": ("visible", "vis", "brightfield"),
    "uv": ("uv", "uvt", "ultraviolet"),
    "cross-polarised": ("crosspolarised", "crosspolarized", "xpl", "xpol"),
    "shg": ("shg",),
}
_CHANNEL_OF_WORD = {word: channel for channel, words in CHANNEL_WORDS.items() for word in words}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WellKey:
    """Which drop an image shows, at which inspection, in which channel."""

    plate: str  #: barcode
    row: int  #: from 0; 0 is A
    column: int  #: from 0; 0 is 1
    drop: int = 1  #: sub-well, from 1
    inspection: int = 1  #: from 1
    channel: str = "visible"  #: one of CHANNELS

    @property
    def well(self) -> str:
        """The well's name, for example ``C07``; rows after Z go on with AA."""
        return well_name(self.row, self.column)

    @property
    def place(self) -> tuple[int, int, int]:
        """Where on its plate the drop is: row and column from 0, drop from 1."""
        return self.row, self.column, self.drop


def well_name(row: int, column: int) -> str:
    """Return the name of the well in a row and a column, both from 0.

    >>> well_name(2, 6), well_name(31, 47)
    ('C07', 'AF48')
    """
    letters = ""
    while row >= 0:
        letters, row = chr(ord("A") + row % 26) + letters, row // 26 - 1
    return f"{letters}{column + 1:02d}"


def is_well(name: str) -> bool:
    """Tell whether a plate of 96, 384 or 1536 wells has a well of that name; zeros may stand before its number.

    >>> [name for name in ("A1", "P024", "AF48", "AG1", "A0", "A49", "ZZ99", "a1") if is_well(name)]
    ['A1', 'P024', 'AF48']
    """
    found = re.fullmatch("([A-Z]{1,2})0*([1-9][0-9]?)", name)
    rows, columns = PLATE_FORMATS[max(PLATE_FORMATS)]
    letters = {well_name(row, 0)[:-2] for row in range(rows)}
    return found is not None and found[1] in letters and int(found[2]) <= columns


def channel_named(word: str) -> str:
    """Return the channel that somebody calls `word`.

    Raises
    ------
    UnknownNameError
        If there is none.

    >>> channel_named("UV"), channel_named("cross-polarized"), channel_named("XPL")
    ('uv', 'cross-polarised', 'cross-polarised')
    """
    channel = _CHANNEL_OF_WORD.get(re.sub("[^a-z]", "", word.casefold()))
    if channel is None:
        raise unknown_name(CHANNELS, word, "channel")
    return channel


def channels_in(text: str) -> set[str]:
    """Return the channels that `text` names with words that stand by themselves, or begin with a capital letter.

    >>> sorted(channels_in("P1/UV/A01_vis.jpg")), channels_in("UVDefaults"), channels_in("SUVA_1")
    (['uv', 'visible'], {'uv'}, set())
    """
    words = re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)
    pairs = [first + second for first, second in pairwise(words) if len(first) > 1]
    return {_CHANNEL_OF_WORD[word] for word in map(str.casefold, (*words, *pairs)) if word in _CHANNEL_OF_WORD}
