"""``crystal-search messages``: sends digests of new crystals, and tells who gets them."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from crystal_search.errors import UserError
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_messenger
from crystal_search.server.services.shown_scores import shown_in
from crystal_search.viewer.message_settings import MessageSettings, read_message_settings
from crystal_search.viewer.messages.message_round import Messenger
from crystal_search.viewer.messages.message_senders import SENDERS
from crystal_search.viewer.messages.new_crystals import CrystalFinder, Projects
from crystal_search.viewer.messages.subscriptions import SubscriptionStore
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.opened_sign_in import opened_sign_in
from crystal_search.viewer.thumbnails import Thumbnails


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
    for name, what in (("send", "look for new crystals and send what waits, once"), ("list", "tell who gets messages")):
        action = actions.add_parser(name, help=what, description=what)
        add_home_argument(action)


def run(arguments: argparse.Namespace) -> None:
    """Send messages, or list who gets them.

    Raises
    ------
    UserError
        If the settings say nothing of messages, or another process is sending them.
    """
    with opened(arguments.home, create=False) as site:
        settings = read_message_settings(site.home.settings)
        if not settings.address:
            raise UserError(f"{site.home.settings} says nothing of [messages]; see docs/messages.md")
        with closing(SubscriptionStore(site.home.messages)) as store:
            if arguments.action == "send":
                send(site, settings, store)
            else:
                _list(store)


def send(site: Installation, settings: MessageSettings, store: SubscriptionStore) -> None:
    """Do one round; say nothing when there is nothing to say."""
    with only_messenger(site.home), closing(Thumbnails(site.home.thumbnails)) as thumbnails, _may_see(site) as may_see:
        now = datetime.now(UTC)
        settled = store.settled(site.imaging.last_entry(), now)
        finder = CrystalFinder(site.imaging, shown_in(site.home, site.imagers), may_see, settled)
        messenger = Messenger(
            settings=settings,
            time_zone=site.settings.time_zone,
            store=store,
            finder=finder,
            thumbnails=thumbnails,
            senders=SENDERS,
        )
        done = messenger.round(now)
    if done.sent:
        say(f"messages: {done.sent} sent")
    for trouble in done.troubles:
        say(f"messages: {trouble}; it is tried again")
    if done.given_up:
        say(f"messages: {done.given_up} given up, for they did not go in a week")


@contextmanager
def _may_see(site: Installation) -> Iterator[Projects]:
    """Give what tells the projects whose plates a person may see."""
    with opened_sign_in(site, listens_here=True) as sign_in:
        yield lambda name: projects_of(sign_in, name)


def projects_of(sign_in: object, name: str) -> tuple[str, ...] | None:
    """Return the projects whose plates a person may see; None: all.

    Where people sign in, a name that nobody added sees none, whatever ``unknown_people`` says: nobody
    vouches for it now.
    """
    if not isinstance(sign_in, KnownPeople):
        return None
    person = sign_in.store.person(name)
    return person.projects if person else ()


def _list(store: SubscriptionStore) -> None:
    waiting = store.waiting()
    for each in store.all():
        projects = ", ".join(each.wish.projects) or "all projects"
        say(f"{each.wish.person}: {each.wish.way}, {each.wish.often}, {projects}")
        for digest in waiting:
            if digest.subscription.id == each.id:
                say(f"  waits since {digest.made_at:%Y-%m-%d %H:%M} UTC: {digest.trouble or 'not tried yet'}")
