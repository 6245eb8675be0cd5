"""How long the list of plates, and Today, take with many plates, and how much of them is sent.

``python -m benchmarks.bench_plate_list --images 1000000`` fills a SQLite file (or the empty database at ``--url``)
with plates of 288 drops (``--drops``), all scored, one in 30 by a person too, each plate with an owner and 96
conditions of 40 screens, 20 of them new each day, and prints a table: the median of five, and the least processor
time of this process, which with SQLite is all that it takes, whoever else uses the machine.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, Table, create_engine

from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.fact_rules import words_of
from crystal_search.server.imaging.plate_list import SORTS, PlateQuery
from crystal_search.server.imaging.sql_imaging import SqlImaging, open_imaging, parsed
from crystal_search.server.imaging.sql_rows import digest_of, time_text
from crystal_search.viewer.app import viewer_app

WELLS, SCREENS = 96, 40
START = datetime(2020, 1, 1, tzinfo=UTC)
PLATES_A_DAY = 20
Row = dict[str, Any]


def fill(engine: Engine, plates: int, drops: int) -> None:
    """Write plates, images and scores as they lie in the tables."""
    chance = random.Random(1)
    moments = [time_text(START + timedelta(minutes=plate)) for plate in range(plates)]
    with engine.begin() as connection:
        write = _writer(connection)
        write(schema.plate, [{"id": plate + 1, "barcode": f"CI{plate:06}"} for plate in range(plates)])
        write(schema.recipe, [{"id": 1, "models": "[]", "models_digest": "0" * 32, "threshold": 0.85}])
        write(schema.inspection, [_inspection(plate, moment, drops, plates) for plate, moment in enumerate(moments)])
        write(schema.image, (_image(number, drops, moments) for number in range(plates * drops)))
        write(schema.score, (_machine(number, chance) for number in range(plates * drops)))
        write(schema.score, (_person(number, chance) for number in range(0, plates * drops, 30)))


def _writer(connection: Any) -> Callable[[Table, Any], None]:
    def write(table: Table, rows: Iterator[Row]) -> None:
        for batch in batches(rows, 5000):
            connection.execute(table.insert(), batch)

    return write


def _inspection(plate: int, moment: str, drops: int, plates: int) -> Row:
    news = time_text(datetime.now(UTC) - timedelta(days=(plates - plate) / PLATES_A_DAY))
    counts = {"images": drops, "scored": drops, "last_scored_at": moment, "newest_at": moment}
    return {"plate_id": plate + 1, "number": 1, "channel": "visible", "news_at": news} | counts


def _image(image: int, drops: int, moments: Sequence[str]) -> Row:
    plate, drop = divmod(image, drops)
    well, number = divmod(drop, 3)
    path = f"/share/images/CI{plate:06}/001/{drop}.jpg"
    return {
        "id": image + 1,
        "plate_id": plate + 1,
        "well_row": well // 12,
        "well_column": well % 12,
        "drop_number": number + 1,
        "inspection": 1,
        "channel": "visible",
        "path": path,
        "path_digest": digest_of(path),
        "imaged_at": moments[plate],
        "arrived_at": moments[plate],
        "last_recipe_id": 1,
    }


def _machine(number: int, chance: random.Random) -> Row:
    outcome = chance.choice(OUTCOME_NAMES)
    found = _found(outcome, chance.random() ** 3)
    told = {"outcome": outcome, "probability": 0.9, "above_threshold": chance.random() < 0.8, "found": found}
    return {
        "image_id": number + 1,
        "scored_at": time_text(START),
        "work_unit": "bench",
        "recipe_id": 1,
    } | told


def _found(outcome: str, p_crystal: float) -> str:
    """Return what a machine found, as long as it is in the ledger: an outline of 60 points, 4 chops."""
    box = {"top": 100, "left": 100, "bottom": 356, "right": 356}
    chop = {"box": [*box.values()], "outcome": outcome, "probability": 0.9}
    drop = {"box": [*box.values()], "area_fraction": 0.3, "outline": [[100 + n, 200 + n] for n in range(60)]}
    score = {"outcome": outcome, "probability": 0.9, "above_threshold": True}
    classes, peaks = [round(1 / 13, 6)] * 13, [round(p_crystal, 6), 0.2, 0.1, 0.1]
    told = {"height_px": 960, "width_px": 1280, "error": None, "drop": drop, "score": score, "best_chops": [chop] * 4}
    rest = {"class_probabilities": classes, "group_peaks": peaks, "chops": 30, "second_opinion": [], "seconds": {}}
    return json.dumps(told | rest, separators=(",", ":"))


def _person(number: int, chance: random.Random) -> Row:
    return {
        "image_id": number + 1,
        "scored_at": time_text(START),
        "outcome": chance.choice(OUTCOME_NAMES),
        "person": "Ada",
        "comment": "",
    }


def fill_facts(engine: Engine, plates: int) -> None:
    """Write whose the plates are and what is in their wells, as it lies in the tables."""
    with engine.begin() as connection:
        write = _writer(connection)
        write(schema.plate_fact, (_facts(plate) for plate in range(plates)))
        write(schema.cocktail, (_cocktail(number) for number in range(SCREENS * WELLS)))
        write(schema.well_condition, (_well(plate, well) for plate in range(plates) for well in range(WELLS)))


def _facts(plate: int) -> Row:
    texts = {"project": f"mx-{plate % 170}", "protein": f"protein {plate % 400}", "owner": f"Person {plate % 60}"}
    rest = {"people": "", "plate_type": "", "sources": "{}", "noted_at": time_text(START)}
    return {"plate_id": plate + 1, "words": words_of(*texts.values())} | texts | rest


def _cocktail(number: int) -> Row:
    screen, well = divmod(number, WELLS)
    name = f"Screen {screen}-{well}"
    text = f"{screen + 1} % w/v PEG {200 * (1 + well % 50)}, 0.2 M salt {(well * 7 + screen) % 90}"
    ingredients = json.dumps([{"name": text}])
    return {
        "id": number + 1,
        "digest": digest_of(name),
        "name": name,
        "ingredients": ingredients,
        "words": words_of(name, text),
    }


def _well(plate: int, well: int) -> Row:
    place = {"plate_id": plate + 1, "well_row": well // 12, "well_column": well % 12, "drop_number": 0}
    said = {"source": "bench", "by_hand": False, "noted_at": time_text(START)}
    return place | said | {"cocktail_id": (plate % SCREENS) * WELLS + well + 1}


def took(work: Callable[[], object], repeats: int = 5) -> str:
    """Return the median time of `work`, and its least processor time."""
    times, shares = [], []
    for _ in range(repeats):
        start, share = time.perf_counter(), time.process_time()
        work()
        times.append(time.perf_counter() - start)
        shares.append(time.process_time() - share)
    return f"{1000 * statistics.median(times):8.1f} ms, processor {1000 * min(shares):6.1f} ms"


def measure(database: SqlImaging) -> None:
    """Print how long the list takes, in every order and for searches."""
    for sort in SORTS:
        tell(f"sorted by {sort}", database, PlateQuery(sort=sort))
    for search in ("CI0012", "mx-17", "person 7", "peg 3400", "screen 7-12", "salt", "nothing at all"):
        found = database.list_plates(PlateQuery(search=search)).found
        tell(f"search {search} ({found} found)", database, PlateQuery(search=search))
    tell("a page beyond the last", database, PlateQuery(page=10**4))


def tell(what: str, database: SqlImaging, query: PlateQuery) -> None:
    """Print how long one page of the list takes."""
    print(f"{what:36} {took(partial(database.list_plates, query))}", flush=True)


def measure_page(database: SqlImaging, folder: Path) -> None:
    """Print how long the first page takes as a browser gets it, and how large it is."""
    todays = [f"/api/today?person=Ada&days={days}" for days in (7, 30, 3650)]
    for path in ("/plates", "/api/plates", "/", *todays):
        sizes: list[tuple[int, int]] = []

        def ask(path: str = path, sizes: list[tuple[int, int]] = sizes) -> None:
            app = viewer_app(database, folder / "thumbnails")  # a new one remembers nothing
            sizes.append(asyncio.run(_get(app, path)))

        needed = took(ask)
        print(f"GET {path:32} {needed}, {sizes[0][0] / 1000:.1f} kB, {sizes[0][1] / 1000:.1f} compressed", flush=True)


async def _get(app: Any, path: str) -> tuple[int, int]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get(path)
        return len(answer.raise_for_status().content), int(answer.headers.get("content-length", 0))


def bench(url: str, images: int, drops: int, folder: Path) -> None:
    """Fill a database and measure."""
    plates = images // drops
    database = open_imaging(url)
    engine = create_engine(parsed(url))
    start = time.perf_counter()
    fill(engine, plates, drops)
    fill_facts(engine, plates)
    engine.dispose()
    written = time.perf_counter() - start
    print(f"{plates} plates, {plates * drops} images, {plates * WELLS} conditions in {written:.1f} s", flush=True)
    start = time.perf_counter()
    while database.count_crystals(200):
        pass
    print(f"crystals counted at all inspections in {time.perf_counter() - start:.1f} s", flush=True)
    measure(database)
    measure_page(database, folder)
    database.close()


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--drops", type=int, default=288, help="of a plate (default: 288)")
    parser.add_argument("--url", help="an empty database (default: a SQLite file that is removed at the end)")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'imaging.sqlite'}"
        bench(url, arguments.images, arguments.drops, Path(folder))


if __name__ == "__main__":
    main()
