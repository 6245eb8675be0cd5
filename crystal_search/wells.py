"""Where an image belongs: plate, well, drop, inspection, channel."""

from dataclasses import dataclass

CHANNELS = ("visible", "uv", "cross-polarised", "shg")
SPLITS = ("train", "validation", "test")  #: of what networks learn from and are judged by; no well is in two


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
        letters, row = "", self.row
        while row >= 0:
            letters, row = chr(ord("A") + row % 26) + letters, row // 26 - 1
        return f"{letters}{self.column + 1:02d}"
