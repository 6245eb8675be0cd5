"""What a month is played with, and the installation, pictures and hosts for it."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image as Pillow

from benchmarks.bench_boinc import own_project
from benchmarks.month.answers import SIDE_PX
from benchmarks.month.boinc_server import BoincServer
from benchmarks.month.clock import Clock
from benchmarks.month.hosts import Host
from crystal_search.server.engines.boinc.install import input_template
from crystal_search.server.engines.boinc.project import IN_TEMPLATE
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.settings import Settings, sqlite_url
from crystal_search.wells import WellKey

ARCHIVE = 15_666_284  #: images that the paper scored in 30 days
DIFFERENT = 300  #: pictures; every file has a number besides, and so bytes of its own
AGE_S = 30 * 86_400.0  #: of the newest image: all are of an archive, none of today
DROPS = 288  #: images of one inspection
HOSTS = {
    "fair": 12,
    "careless": 1,
    "rare": 1,
    "vanishing": 1,
    "liar": 1,
    "plotter": 2,
    "confused": 1,
    "skipping": 1,
    "garbage": 1,
    "old": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a month is played with."""

    images: int
    s_per_image: float = 27.5  #: of processor time
    hosts: Mapping[str, int] = field(default_factory=lambda: HOSTS)  #: how many of each of `hosts.CHARACTERS`
    processors: int = 2
    on_share: float = 0.2  #: of the time in which a host is on
    on_hours: float = 9.0  #: mean length of a stretch in which it is on
    replication: str = "quorum"
    images_per_unit: int = 16
    max_queue: int = 1000  #: with the default of 200 hosts that keep work while they are off leave none for others
    tick_s: float = 3600.0  #: between two passes of the services, and two looks of a host
    spool_full: float = 0.002  #: of results do not reach the spool
    away: float = 0.01  #: of passes find the BOINC server's database away
    broken: float = 0.0002  #: of pictures cannot be decoded
    limit_days: float = 120.0
    seed: int = 0

    @property
    def machines(self) -> int:
        """How many hosts there are."""
        return sum(self.hosts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that plays."""

    lab: Lab
    site: Installation
    recipe: Recipe
    server: BoincServer
    hosts: tuple[Host, ...]
    clock: Clock
    random: Random
    broken: frozenset[str]  #: paths of pictures that cannot be decoded
    first_id: int  #: of the images that are played


def staged(lab: Lab, folder: Path, url: str, clock: Clock) -> Stage:
    """Make an installation below `folder` whose database at `url` gets the lab's images, and a project with hosts."""
    random = Random(lab.seed)
    project = own_project(folder / "project")
    settings = Settings(
        engine="boinc",
        database_url=url,
        boinc_project=str(project.root),
        boinc_replication=lab.replication,
        images_per_unit=lab.images_per_unit,
        max_queue=lab.max_queue,
    )
    home = Home(folder / "home").made()
    url = url or str(sqlite_url(home.database))
    site = Installation(home=home, settings=settings, imaging=open_imaging(url))
    template = project.root / IN_TEMPLATE
    template.parent.mkdir()
    template.write_text(input_template(settings), encoding="utf-8")
    images = list(pictures(folder / "images", lab, clock, random))
    for start in range(0, len(images), 10_000):
        site.imaging.add_images([image for image, _ in images[start : start + 10_000]])
    first = site.imaging.plate_images(images[0][0].key.plate)[0].id
    return Stage(
        lab=lab,
        site=site,
        recipe=recipe_of(site),
        server=BoincServer(project, home, settings, clock=clock, random=random, spool_full=lab.spool_full),
        hosts=tuple(_hosts(lab, clock)),
        clock=clock,
        random=random,
        broken=frozenset(image.path for image, whole in images if not whole),
        first_id=first,
    )


def pictures(folder: Path, lab: Lab, clock: Clock, random: Random) -> Iterator[tuple[NewImage, bool]]:
    """Write the lab's pictures, each with bytes of its own; yield each image, and whether it can be decoded."""
    kinds = [_jpeg(number) for number in range(min(DIFFERENT, lab.images))]
    run = f"{folder.parent.name}-{int(clock.now_s)}"
    for number in range(lab.images):
        plate, place = divmod(number, DROPS)
        well, drop = divmod(place, 3)
        key = WellKey(plate=f"M{run}-{plate}", row=well // 12, column=well % 12, drop=drop + 1)
        path = folder / str(plate) / f"{key.well}_{drop + 1}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = random.random() >= lab.broken
        data = numbered(kinds[number % len(kinds)], number)
        path.write_bytes(data if whole else data[: len(data) // 2])
        taken = datetime.fromtimestamp(clock.now_s - AGE_S - lab.images + number, UTC)
        yield NewImage(key=key, path=str(path), imaged_at=taken), whole


def _jpeg(number: int) -> bytes:
    """Return a small picture with a blurred blob at a place of its own."""
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    row, column, width = random.uniform((60, 60, 20), (240, 240, 60))
    blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / width**2)
    grey = np.clip(120 + 100 * blob + random.normal(0, 4, blob.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(grey).save(file, "JPEG", quality=60)
    return file.getvalue()


def numbered(jpeg: bytes, number: int) -> bytes:
    """Return a JPEG file with a comment that holds a number."""
    text = str(number).encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text + jpeg[2:]


def _hosts(lab: Lab, clock: Clock) -> Iterator[Host]:
    number = 0
    accounts: dict[str, int] = {}
    for kind, count in lab.hosts.items():
        for _ in range(count):
            number += 1
            random = Random(f"{lab.seed} {number}")
            host = Host(
                number=number,
                account=number,
                kind=kind,
                processors=lab.processors,
                s_per_image=lab.s_per_image,
                on_share=lab.on_share,
                on_s=lab.on_hours * 3600,
                random=random,
                is_on=random.random() >= lab.on_share,
                turns_at_s=clock.now_s,
            )
            if host.character.shares_account:
                host.account = accounts.setdefault(kind, number)
            yield host
