"""The way of signing in that an installation's settings name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.errors import ConfigError
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, opened
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.nobody import NobodySignsIn
from crystal_search.viewer.people.opened_sign_in import opened_sign_in
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_settings import SignInSettings

OPENID = '[sign_in]\nkind = "openid"\naddress = "https://x.lab"\nissuer = "https://id.lab"\nclient_id = "x"\n'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    with opened(tmp_path / "home") as found:
        yield found


def set_in(home: Home, text: str) -> None:
    home.settings.write_text(text)


def test_without_settings_nobody_signs_in_and_no_file_is_made(site: Installation) -> None:
    with opened_sign_in(site, listens_here=False) as found:
        assert found == NobodySignsIn(listens_here=False)
    assert not site.home.people.exists()


def test_people_of_the_home_sign_in(site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    set_in(site.home, '[sign_in]\nkind = "accounts"\nwrites_per_minute = 7\n')
    with opened_sign_in(site, listens_here=True) as found:
        assert isinstance(found, KnownPeople)
        assert found.writes_per_minute == 7
        found.store.add(Person(name="Ada", role="look"))
    assert site.home.people.exists()
    assert [each.getMessage() for each in caplog.records] == ["nobody may sign in yet: crystal-search people add NAME"]


def test_a_network_without_https_is_warned_of(site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    for address, times in (("http://x.lab", 1), ("https://x.lab", 0)):
        set_in(site.home, f'[sign_in]\nkind = "accounts"\naddress = "{address}"\n')
        caplog.clear()
        with opened_sign_in(site, listens_here=False):
            assert caplog.text.count("unencrypted") == times


def test_people_sign_in_to_a_snapshot_whose_home_learns_nothing_of_it(site: Installation) -> None:
    set_in(site.home, '[sign_in]\nkind = "accounts"\n')
    with opened_sign_in(site, listens_here=True) as found:
        assert isinstance(found, KnownPeople)
        found.store.add(Person(name="Ada", role="look"))
    before = site.home.people.read_bytes()
    with opened_sign_in(replace(site, is_snapshot=True), listens_here=True) as found:
        assert isinstance(found, KnownPeople)
        secret = found.store.begin_session("Ada")
        assert found.store.in_session(secret, most_s=60, idle_s=60) == Person(name="Ada", role="look")
    assert site.home.people.read_bytes() == before


def test_the_secret_of_a_provider_is_for_this_account_alone(site: Installation) -> None:
    set_in(site.home, f'{OPENID}client_secret_file = "secret"\n')
    secret = site.home.path / "secret"
    with pytest.raises(ConfigError, match="cannot be read"), opened_sign_in(site, listens_here=True):
        pass
    secret.write_text("x")
    secret.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 0600"), opened_sign_in(site, listens_here=True):
        pass
    secret.chmod(0o600)
    with opened_sign_in(site, listens_here=True) as found:
        assert isinstance(found, KnownPeople)
        assert found.provider is not None


def test_only_people_who_sign_in_elsewhere_have_a_provider(site: Installation) -> None:
    set_in(site.home, OPENID)
    with opened_sign_in(site, listens_here=True) as found:
        assert isinstance(found, KnownPeople)
        assert found.settings == SignInSettings(
            kind="openid", address="https://x.lab", issuer="https://id.lab", client_id="x"
        )
