"""Playing a month: hosts live, the server's daemons work, the services take a pass, and again."""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, func, select

from benchmarks.month.answers import true_outcome
from benchmarks.month.clock import told_by
from benchmarks.month.lab import Stage
from crystal_search.errors import EngineError
from crystal_search.outcomes import UNREADABLE
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.engine import Engine
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.sql_imaging import parsed
from crystal_search.server.services.cycle import cycle

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What became of the images."""

    scored: int  #: that can be decoded
    lost: int  #: no score
    doubled: int  #: more than one score
    given_up: int  #: called unreadable, though they can be decoded
    false: int  #: another score than an honest client's
    unreadable: int  #: called so rightly


@dataclass(kw_only=True)
class Played:
    """How a month went."""

    days: float = 0.0  #: until the last image was scored
    passes: int = 0
    took_s: float = 0.0  #: real time
    services_cpu_s: float = 0.0  #: of a processor, that the services took
    play_cpu_s: float = 0.0  #: of a processor, that all else took
    longest_pass_s: float = 0.0  #: of the services, real time
    peaks: Counter[str] = field(default_factory=Counter)  #: bytes of each part of the disk at most


def play(stage: Stage) -> Played:
    """Play until all images are scored, or time is over."""
    played, clock, lab = Played(), stage.clock, stage.lab
    started_s, began_s, database = time.perf_counter(), clock.now_s, database_of(stage)
    project, site = stage.server.project, stage.site
    with told_by(clock), BoincEngine(site.home, site.settings, project, stage.server, site.models) as engine:
        while played.days < lab.limit_days and _left(database):
            began_cpu_s = time.process_time()
            clock.now_s += lab.tick_s
            stage.server.away = stage.random.random() < lab.away
            for host in stage.hosts:
                host.live(stage.server, clock, lab.tick_s)
            stage.server.daemons()
            _pass(stage, engine, played)
            played.passes, played.days = played.passes + 1, (clock.now_s - began_s) / DAY_S
            _measure(played, project.download_dir, project.upload_dir, site.home.path / "engine")
            played.play_cpu_s += time.process_time() - began_cpu_s
    _measure(played, site.home.archive)
    played.play_cpu_s -= played.services_cpu_s
    played.took_s = time.perf_counter() - started_s
    return played


def _pass(stage: Stage, engine: Engine, played: Played) -> None:
    """Take one pass as `watch` does, and note how long it took; what needs repair waits."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with suppress(EngineError):
        cycle(stage.site, stage.recipe, engine)
    played.services_cpu_s += time.process_time() - began_cpu_s
    played.longest_pass_s = max(played.longest_pass_s, time.perf_counter() - began_s)


def _measure(played: Played, *folders: Path) -> None:
    """Note how much lies in some folders if it is more than before; what is in two under one number counts once."""
    seen: set[int] = set()
    for folder in folders:
        count = 0
        for where, _, names in os.walk(folder):
            for name in names:
                status = os.lstat(Path(where, name))
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    count += status.st_size
        played.peaks[folder.name] = max(played.peaks[folder.name], count)


def database_of(stage: Stage) -> Database:
    """Return the imaging database, to be asked what nobody asks but here."""
    return create_engine(parsed(stage.site.settings.url(stage.site.home)))


def _left(database: Database) -> int:
    """Return how many images have no score at all."""
    image = schema.image.c
    with database.connect() as connection:
        query = select(func.count()).where(image.channel == "visible", image.last_recipe_id == 0)
        return int(connection.scalar(query) or 0)


def audited(stage: Stage) -> Books:
    """Look at every score of every image that was played."""
    image, score = schema.image.c, schema.score.c
    found: dict[int, list[str]] = defaultdict(list)
    with database_of(stage).connect() as connection:
        played = connection.execute(select(image.id, image.path, image.sha256).where(image.id >= stage.first_id)).all()
        scores = select(score.image_id, score.outcome).where(score.image_id >= stage.first_id)
        for image_id, outcome in connection.execute(scores):
            found[image_id].append(outcome)
    counts: Counter[str] = Counter()
    for row in played:
        counts[_fate(found[row.id], row.sha256, broken=row.path in stage.broken)] += 1
    return Books(**{name: counts[name] for name in Books.__dataclass_fields__})


def _fate(outcomes: Sequence[str], sha256: str, *, broken: bool) -> str:
    """Return in which of the books an image is."""
    if not outcomes:
        return "lost"
    if len(outcomes) > 1:
        return "doubled"
    if broken:
        return "unreadable" if outcomes[0] == UNREADABLE else "false"
    if outcomes[0] == UNREADABLE:
        return "given_up"
    return "scored" if outcomes[0] == true_outcome(sha256) else "false"
