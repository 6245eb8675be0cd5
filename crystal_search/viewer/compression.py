"""Text goes out compressed to whoever takes that; pictures are compressed already."""

import gzip

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PICTURES = ("/image/", "/thumbnail/")
LEAST_BYTES = 500  #: below, nothing is gained
LEVEL = 5  #: of gzip, from 1 to 9: higher ones take longer than they save on a network


def compressed(body: bytes) -> bytes:
    """Return what goes out to many, compressed once for all of them."""
    return gzip.compress(body, LEVEL, mtime=0)


class Compressed:
    """Compresses what an application answers, but for pictures and what is compressed already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_picture = scope["type"] == "http" and scope["path"].startswith(PICTURES)
        await (self._app if is_picture else self._compressed)(scope, receive, send)
