"""Putting a readout to use: from now on for new images, and for the archive as fast as it goes, told as it goes."""

from collections.abc import Iterable

from tqdm import tqdm

from crystal_search.model import Model
from crystal_search.model_card import ReadoutCard
from crystal_search.server.installation import Installation, say
from crystal_search.server.readouts_in_use import idle_readouts, use_readout
from crystal_search.server.services.rescoring_archive import Rescored, rescore_all


def put_readout_to_use(
    site: Installation, model: Model[ReadoutCard], imager: str = "", *, anyway: bool = False
) -> None:
    """Put a readout to use for an imager, and score its images in the archive.

    Raises
    ------
    UserError, ModelError
        If it cannot be used; nothing has changed then.
    DatabaseError
        If the archive cannot be scored now; `watch` goes on with it.
    """
    used = use_readout(site, model, imager, anyway=anyway)
    say(
        f"{used.name} ({used.sha256[:12]}) scores images of {used.imager!r} from now on; the shipped scores stay beside"
    )
    say("images in the archive are scored now, the newest first; stopped, it goes on with watch or set-autoscore")
    new = rescored_with_bar(rescore_all(site))
    say(f"{new} scores by readouts; `crystal-search models unuse '{used.imager}'` has the shipped ones stand again")
    for idle in idle_readouts(site):
        if idle.used.imager == used.imager:
            say(idle.said)


def rescored_with_bar(blocks: Iterable[Rescored]) -> int:
    """Show how archive images are scored, and return how many scores were new."""
    new = 0
    with tqdm(unit=" images", disable=None) as bar:
        for block in blocks:
            new += block.new
            bar.update(block.looked_at)
            if block.oldest:
                bar.set_postfix_str(f"back to {block.oldest:%Y-%m-%d}")
    return new
