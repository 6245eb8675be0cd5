"""Telling whoever waits that a large imaging database is being upgraded, and for how long."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import Connection, text

log = logging.getLogger(__name__)

AGAIN_S = 15.0  #: between two lines that tell that it goes on
IMAGES_A_SECOND = 50_000  #: that a step takes at least (docs/imaging-database.md)


@contextmanager
def told(connection: Connection, version: int) -> Iterator[None]:
    """Tell that the upgrade to a version of the schema begins, how much it has to do, and then again and again."""
    images = int(connection.scalar(text("SELECT count(*) FROM image")) or 0)
    what = f"upgrading the imaging database to schema version {version}"
    seconds = f", some {images // IMAGES_A_SECOND} s; let it run" if images >= IMAGES_A_SECOND else ""
    log.warning("%s: %d images%s", what, images, seconds, extra={"action": "schema_upgraded"})
    began, is_over = time.monotonic(), Event()

    def go_on() -> None:
        while not is_over.wait(AGAIN_S):
            log.warning("%s: goes on, for %d s so far", what, time.monotonic() - began)

    teller = Thread(target=go_on, daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()
