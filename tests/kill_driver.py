"""``python -m tests.kill_driver FOLDER PLAN``: score what an installation holds with the fake client, then end."""

import sys
from dataclasses import replace
from pathlib import Path

from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.installation import Installation
from tests.service_site import FAKE_CLIENT, SETTINGS, score_everything


def main(folder: str, plan: str) -> None:
    """Go on with the installation in `folder` until nothing is left to do."""
    settings = replace(SETTINGS, attempts=10, images_per_unit=3)  # so many kills are nobody's fault
    home = Home(Path(folder) / "home").made()
    site = Installation(home=home, settings=settings, imaging=open_imaging(settings.url(home)))
    command = (sys.executable, str(FAKE_CLIENT), plan)
    with LocalEngine(home, settings, Path("models"), client_command=command) as engine:
        score_everything(site, engine)
    site.imaging.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
