"""Which imager took an image: by the settings, else by the serial number in the path."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from crystal_search.errors import ConfigError
from crystal_search.server.imagers import ImagerPlace, Imagers, file_name_of, imagers_in
from crystal_search.server.services.imager_records import read_records
from crystal_search.server.services.look_after_imagers import look_after_imagers
from crystal_search.server.settings import Settings, read_settings
from tests.service_site import add_images, engine_of, score_everything, site_at, with_settings

RI = "RI1000-0081"


@dataclass(frozen=True)
class Picture:
    path: str


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text)
    return read_settings(path)


def test_names_of_files_tell_the_imager_where_the_settings_do_not() -> None:
    imagers = Imagers()
    assert imagers.of(Picture("/a/RI1000-0001/90j8_2018-04-11_RI1000-0081-2drop/x.jpg")) == RI
    assert imagers.of(Picture("/a/XRI1000-0081/x.jpg")) == "all images"


def test_folders_and_patterns_tell_it_before_the_names_of_files(tmp_path: Path) -> None:
    text = '[imagers]\n"left bench" = ["/robots/left", "images/left"]\nUV = "*_uv.jpg"\nright = "/robots/r?ght/*.tif"\n'
    imagers = settings_of(tmp_path, text).imagers
    expected = {
        f"/robots/left/P1_{RI}/1.jpg": "left bench",
        "/robots/left/1_uv.jpg": "left bench",
        f"{tmp_path}/images/left/1.jpg": "left bench",
        "/robots/left2/1.jpg": "all images",
        "/robots/left": "all images",
        f"/robots/P1_{RI}/1_uv.jpg": "UV",
        f"/robots/P1_{RI}/1.jpg": RI,
        "/robots/right/P1/2/1.tif": "right",
    }
    assert {path: imagers.of(Picture(path)) for path in expected} == expected


def test_only_imagers_that_images_can_have_are_names_of_one(tmp_path: Path) -> None:
    imagers = settings_of(tmp_path, '[imagers]\nleft = "/robots/left"\n').imagers
    said = {name: imagers.may_be(name) for name in ("left", RI, "all images", "right", f"{RI}x", "")}
    assert said == {"left": True, RI: True, "all images": True, "right": False, f"{RI}x": False, "": False}


def test_without_the_table_all_is_as_it_was(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "workers = 1\n").imagers == Imagers()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('imagers = "/robots"', "imagers must be a table of names with their folders, got '/robots'"),
        ("[imagers]\nleft = 7", "'left' must be a folder, a pattern like '*_L.jpg', or a list of them, got 7"),
        ("[imagers]\nleft = []", "'left' must be a folder, a pattern like '*_L.jpg', or a list of them, got []"),
        ('[imagers]\nleft = ["/a", ""]', "'left' must be a folder"),
        ('[imagers]\nleft = "left_*.jpg"', "the pattern 'left_*.jpg' fits no whole path; begin with / or *"),
        ('[imagers]\nleft = "/robots/[left/*.jpg"', "a [ has no ] in the pattern '/robots/[left/*.jpg'; close it, or"),
        ('[imagers]\n"" = "/a"', "an imager cannot be called ''"),
        ('[imagers]\n"a\\nb" = "/a"', "an imager cannot be called 'a\\\\nb'"),
        ('[imagers]\n"all images" = "/a"', "imagers 'all images' and 'all images' would share their files"),
        ('[imagers]\n"a b" = "/a"\na_b = "/b"', "imagers 'a b' and 'a_b' would share their files; call one otherwise"),
        (
            '[imagers]\na = "/x"\nb = "/x/y"',
            "/x/y of 'b' lies in /x of 'a', which comes first and has all of its images",
        ),
        ('[imagers]\na = "/x"\nb = "/x/*.tif"', "lies in /x of 'a', which comes first"),
        ('[imagers]\na = "*_L.jpg"\nb = "*_L.jpg"', "lies in *_L.jpg of 'a', which comes first"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings_of(tmp_path, text)
    assert said.encode().decode("unicode_escape") in str(refused.value)


@pytest.mark.parametrize("pattern", ["*[[]1*", "/x/[!]]*", "/x/[ab]*", "/x/[]]*"])
def test_brackets_that_are_closed_are_patterns(tmp_path: Path, pattern: str) -> None:
    assert settings_of(tmp_path, f'[imagers]\na = "{pattern}"\n').imagers.places[0].is_pattern


def test_settings_say_how_large_a_pixel_of_an_imager_is(tmp_path: Path) -> None:
    text = f'[imagers]\nleft = "/x"\n[micrometres_per_pixel]\nleft = 2\n{RI} = 2.5\n"all images" = 3.0\n'
    assert settings_of(tmp_path, text).micrometres_per_pixel == {"left": 2.0, RI: 2.5, "all images": 3.0}
    assert settings_of(tmp_path, "workers = 1\n").micrometres_per_pixel == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("micrometres_per_pixel = 2.5", "must be a table of imagers with numbers, got 2.5"),
        ("[micrometres_per_pixel]\nright = 2.5", "no image is of an imager 'right'; name one of"),
        (f"[micrometres_per_pixel]\n{RI} = 0", f"'{RI}' must be a number from 0.01 to 1000, got 0"),
        (f"[micrometres_per_pixel]\n{RI} = nan", "got nan"),
        (f"[micrometres_per_pixel]\n{RI} = true", "got True"),
        (f'[micrometres_per_pixel]\n{RI} = "2.5"', "got '2.5'"),
    ],
)
def test_a_size_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        settings_of(tmp_path, text)


def test_an_inner_folder_may_come_first(tmp_path: Path) -> None:
    imagers = settings_of(tmp_path, '[imagers]\nb = "/x/y"\na = ["/x", "/x/z"]\n').imagers
    assert Counter(imagers.of(Picture(path)) for path in ("/x/y/1", "/x/1", "/x/z/1")) == {"b": 1, "a": 2}
    assert imagers_in({}, tmp_path) == Imagers()


def test_the_sentinel_keeps_imagers_apart_that_the_settings_name(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    add_images(site, tmp_path / "left", 2)
    add_images(site, tmp_path / "right", 3, plate="other")
    site = with_settings(site, imagers=Imagers((ImagerPlace("left bench", str(tmp_path / "left")),)))
    with engine_of(site) as engine:
        score_everything(site, engine)
    while look_after_imagers(site):
        pass
    assert {each.name: each.images for each in read_records(site.home.sentinel)} == {"all images": 3, "left bench": 2}
    assert (site.home.sentinel / f"{file_name_of('left bench')}.json").is_file()
