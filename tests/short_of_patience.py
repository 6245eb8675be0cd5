"""Patience for the tests of shares that hang."""

from collections.abc import Callable

from crystal_search.server.patience import Answer, Patience
from tests.service_site import PATIENCE_S


class ShortOfPatience(Patience):
    """Waits long for everything but one share."""

    def __init__(self, share: str) -> None:
        super().__init__(lambda: ("/", share), seconds=PATIENCE_S)
        self._share = share
        self._short = Patience(lambda: ("/", share), seconds=0.05)

    def ask(self, path: str, question: Callable[[], Answer]) -> Answer:
        if path.startswith(self._share):
            return self._short.ask(path, question)
        return super().ask(path, question)
