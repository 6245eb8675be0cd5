"""Settings: one frozen record, read once from ``settings.toml``; unknown keys are refused."""

import logging
import os
import re
import stat
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystal_search.errors import ConfigError, UserError
from crystal_search.hostile_json import refusing
from crystal_search.naming import zone_named
from crystal_search.outcomes import THRESHOLD
from crystal_search.processes import processors
from crystal_search.server.home import Home
from crystal_search.server.imagers import Imagers, calibration_in, imagers_in
from crystal_search.work_unit import CRYSTALS_FROM

if TYPE_CHECKING:
    from sqlalchemy import URL

log = logging.getLogger(__name__)

MESSAGES = "messages"  #: the table of how messages go out
TABLES = ("facility", MESSAGES, "sign_in")  #: of the file, which rooms above this read for themselves
PASSWORD = re.compile(r"://[^/@]*:[^/@]+@|[?&]password=[^&]")  #: in a URL, before the host or among the options


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a facility may set; every setting has a default that works."""

    database_url: str = ""  #: SQLAlchemy URL of the imaging database; empty: SQLite in the home folder
    time_zone: str = ""  #: IANA name of the zone of the robots' clocks, as Europe/Zurich; empty: this machine's
    models: str = ""  #: folder of the models in use; empty: those that come with the package
    threshold: float = THRESHOLD  #: a group counts for an image when its best chop reaches it
    best_chops: int = 5  #: chops kept and framed for each image
    crystals_from: float = CRYSTALS_FROM  #: a detector in use searches images whose crystal peak reaches it
    overlays: bool = True  #: clients draw a picture with frames for each image
    images_per_unit: int = 16  #: at most so many images in a work unit
    max_queue: int = 200  #: create-work stops when so many work units wait
    workers: int = 0  #: clients at a time; 0: one for each processor
    attempts: int = 3  #: failures after which a work unit is set aside
    seconds_per_image: float = 60.0  #: a client that makes no progress for so long is stopped
    imagers: Imagers = field(default_factory=Imagers)  #: a table: which imager's images lie where
    micrometres_per_pixel: Mapping[str, float] = field(default_factory=dict)  #: a table: of images as stored, by imager
    engine: str = "local"  #: who scores: a name in ``engines.engine_kinds``
    boinc_project: str = ""  #: folder of the BOINC project
    boinc_replication: str = "quorum"  #: ``quorum``: two hosts must agree; ``adaptive``, ``none``: see docs
    boinc_shared_account: bool = False  #: whether hosts of one account may confirm each other
    boinc_tolerance: float = 0.02  #: by which probabilities of two hosts may differ
    boinc_poll_seconds: float = 15.0  #: after which a volunteer's client asks for work again
    boinc_deadline_hours: float = 2.0  #: in which a volunteer returns images that came in the last 24 h
    boinc_archive_deadline_hours: float = 72.0  #: in which a volunteer returns older images
    boinc_patience_minutes: float = 10.0  #: after which images of the last 24 h go to one more host
    boinc_extra_copies: int = 2  #: at most so many copies of a work unit go out early; 0: none

    @property
    def worker_count(self) -> int:
        """Clients at a time."""
        return self.workers or processors()

    def url(self, home: Home) -> "str | URL":
        """Return the imaging database's URL; the home folder may be called anything, also ``100%?``."""
        return self.database_url or sqlite_url(home.database)


def sqlite_url(path: Path) -> "URL":
    """Return the URL of a SQLite file, whatever it is called."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path.resolve()))


LIMITS: dict[str, tuple[float, float]] = {
    "threshold": (0.01, 1),
    "best_chops": (0, 100),
    "crystals_from": (0, 1),
    "images_per_unit": (1, 1000),
    "max_queue": (1, 1_000_000),
    "workers": (0, 1024),
    "attempts": (1, 100),
    "seconds_per_image": (0.1, 86_400),
    "boinc_tolerance": (0.000001, 0.5),
    "boinc_poll_seconds": (5, 86_400),
    "boinc_deadline_hours": (0.1, 720),
    "boinc_archive_deadline_hours": (0.1, 720),
    "boinc_patience_minutes": (1, 43_200),
    "boinc_extra_copies": (0, 10),
}

CHOICES = {"boinc_replication": ("quorum", "adaptive", "none")}


def read_settings(path: Path) -> Settings:
    """Return the settings in the file `path`, or the defaults when there is no such file.

    Raises
    ------
    ConfigError
        If the file is not TOML, names an unknown key, or gives a value that cannot be.

    Notes
    -----
    Folders of models and of the BOINC project are relative to the file's folder, whatever the current folder is.
    """
    table = read_toml(path, "key", [*sorted(field.name for field in fields(Settings)), *TABLES])
    table = {key: value for key, value in table.items() if key not in TABLES}
    with refusing(ConfigError, str(path)):
        imagers = imagers_in(table.pop("imagers", {}), path)
        calibration = calibration_in(table.pop("micrometres_per_pixel", {}), imagers, path)
        for key, value in table.items():
            check_value(path, key, value, getattr(Settings(), key), LIMITS.get(key), choices=CHOICES.get(key, ()))
        _check_zone(path, table.get("time_zone", ""))
    for key in ("models", "boinc_project"):
        if table.get(key):
            table[key] = os.path.abspath(path.parent / table[key])
    if PASSWORD.search(table.get("database_url", "")) and path.stat().st_mode & stat.S_IROTH:
        log.warning("%s holds a password and everybody on this machine may read it; chmod o= %s", path, path)
    return Settings(**table, imagers=imagers, micrometres_per_pixel=calibration)


def read_toml(path: Path, what: str, known: Collection[str] | None) -> dict[str, Any]:
    """Return what a file of settings says; nothing when there is no such file.

    Raises
    ------
    ConfigError
        If the file is not TOML, or names on its highest level a `what` that is none of `known`; all may be for None.
    """
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deep") from error
    if known is not None:
        check_known(path, what, table, known)
    return table


def check_known(path: Path, what: str, given: Collection[str], known: Collection[str]) -> None:
    """Refuse names in a file of settings that are none of `known`, as a ConfigError that lists these.

    Raises
    ------
    ConfigError
        If there are any.
    """
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(f"{path}: unknown {what} {', '.join(unknown)}; choose from {', '.join(known)}")


def check_value(
    path: Path,
    key: str,
    value: Any,
    default: Any,
    limits: tuple[float, float] | None = None,
    *,
    choices: Collection[str] = (),
) -> None:
    """Refuse a value in a file of settings that is not of its default's type, not within limits, or no choice.

    Raises
    ------
    ConfigError
        That says what it must be.
    """
    expected = (int, float) if isinstance(default, float) else (type(default),)
    if not isinstance(value, expected) or isinstance(value, bool) != isinstance(default, bool):
        raise ConfigError(f"{path}: {key} must be like {default!r}, got {value!r}")
    if choices and value not in choices:
        raise ConfigError(f"{path}: {key} must be one of {', '.join(choices)}, got {value!r}")
    if limits is not None and not limits[0] <= value <= limits[1]:
        raise ConfigError(f"{path}: {key} must be from {limits[0]:g} to {limits[1]:g}, got {value!r}")


def _check_zone(path: Path, name: str) -> None:
    try:
        zone_named(name)
    except UserError as error:
        raise ConfigError(f"{path}: {error}") from error
