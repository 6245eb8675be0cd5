"""The scripts in a BOINC project's bin folder, called as its daemons call them, also with hostile files."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from crystal_search.client.program import score_work_unit
from crystal_search.demo.truth import plate_folder
from crystal_search.errors import ConfigError, EngineError, UserError
from crystal_search.main import main
from crystal_search.model import default_models, default_models_folder, references
from crystal_search.server.engines.boinc import scripts
from crystal_search.server.engines.boinc.boinc_engine import project_engine
from crystal_search.server.engines.boinc.install import input_template, install, options, output_template
from crystal_search.server.engines.boinc.invitations import invitation, make_account
from crystal_search.server.engines.boinc.scripts import ALONE, ASSIMILATE, CHECK, COMPARE
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings
from crystal_search.work_unit import Parameters, write_work_unit
from tests.boinc_site import HOSTILE, JOB, BoincSite, boinc_site, call, good, install_into, uploaded
from tests.service_site import PATIENCE_S


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BoincSite:
    monkeypatch.setattr(scripts, "PAUSES_S", "0 0")
    found = boinc_site(tmp_path)
    install_into(found)
    return found


def test_a_good_result_is_valid(place: BoincSite) -> None:
    done = call(place, CHECK, uploaded(place, good(place)))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_results_are_invalid_and_never_tried_again(place: BoincSite, what: str) -> None:
    good(place)
    assert call(place, CHECK, uploaded(place, HOSTILE[what])).returncode == 1


WITH_LITTLE_MEMORY = """
import sys
from crystal_search.server.engines.boinc import returned_results
returned_results.MAX_MEMORY_BYTES = 700_000_000
if sys.argv[1] == "none":
    def answer(words):
        raise MemoryError
    returned_results.answer = answer
sys.exit(returned_results.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("memory", "code"), [("some", 9), ("none", 1)])
def test_a_result_that_fills_all_memory_is_invalid_and_a_machine_without_memory_says_nothing(
    place: BoincSite, memory: str, code: int
) -> None:
    """It is for a work unit that was scored already: that one cannot say how large its result may be."""
    path = uploaded(place, b"[" + b"[]," * 8_000_000 + b"0]")
    words = [sys.executable, "-c", WITH_LITTLE_MEMORY, memory, "check", str(place.site.home.path), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "to read it takes more than 700000000 bytes" in done.stderr) == (code, code == 9)


def spoiled(data: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(data) | changes).encode()


def test_wrong_numbers_other_models_and_other_units_are_invalid(place: BoincSite) -> None:
    data = good(place)
    wrong = json.loads(data)
    wrong["images"][0]["score"]["class_probabilities"][0] += 0.3
    for bad in (
        json.dumps(wrong).encode(),
        spoiled(data, models=[{**each, "sha256": "f" * 64} for each in json.loads(data)["models"]]),
        spoiled(data, work_unit="demo-2"),
        spoiled(data, images=[]),
    ):
        assert call(place, CHECK, uploaded(place, bad)).returncode == 1


def scored_plate(place: BoincSite) -> bytes:
    """Queue a work unit of a demo image with the models in use and return the client's result for it."""
    picture = next(path for path in sorted(plate_folder().glob("*.jpg")) if "01A" in path.name)
    unit = place.site.home.queue / "demo-1.zip"
    models = references(default_models(default_models_folder()))
    images = [("1", ".jpg", picture.read_bytes())]
    write_work_unit(unit, name="demo-1", models=models, parameters=Parameters(overlays=False), images=images)
    score_work_unit(unit, place.site.home.path / "scored", [default_models_folder()])
    return (place.site.home.path / "scored" / "result.json").read_bytes()


def test_a_size_or_a_box_that_cannot_be_is_invalid(place: BoincSite) -> None:
    data = scored_plate(place)
    done = call(place, CHECK, uploaded(place, data))
    assert (done.returncode, done.stderr) == (0, "")
    for field, value, said in (
        ("height_px", 1025, "the picture has 1224 x 1024"),
        ("best_chops.0.box", [100, 100, 356, 356], "no chop of the drop"),
        ("drop.box", [0, 0, 1024, 1223], "none of a mask"),
    ):
        bad = json.loads(data)
        place_in = bad["images"][0]["score"]
        *way, last = field.split(".")
        for key in way:
            place_in = place_in[int(key) if key.isdigit() else key]
        place_in[last] = value
        done = call(place, CHECK, uploaded(place, json.dumps(bad).encode()))
        assert done.returncode == 1
        assert said in done.stderr


def test_models_that_are_gone_and_settings_that_cannot_be_read_say_nothing_about_boxes(place: BoincSite) -> None:
    data = good(place)
    place.site.home.settings.write_text("engine = 3\n")
    assert call(place, CHECK, uploaded(place, data)).returncode == 0


def test_an_enormous_file_is_invalid_without_being_read(place: BoincSite) -> None:
    good(place)
    path = Path(uploaded(place, b"{}"))
    with path.open("r+b") as file:
        file.truncate(20_000_000_000)
    done = call(place, CHECK, str(path))
    assert done.returncode == 1
    assert "20000000000 bytes" in done.stderr


def test_a_missing_upload_is_invalid(place: BoincSite) -> None:
    good(place)
    for known in (True, False):
        if not known:
            (place.site.home.queue / "demo-1.zip").unlink()
        assert call(place, CHECK, f"/nowhere/{JOB}_0_r1_0").returncode == 1


def test_no_or_two_files_and_strange_names_are_invalid(place: BoincSite) -> None:
    data = good(place)
    assert call(place, CHECK).returncode == 1
    assert call(place, CHECK, uploaded(place, data), uploaded(place, data, f"{JOB}_0_r2_0")).returncode == 1
    assert call(place, CHECK, uploaded(place, data, "demo-1.json")).returncode == 1


def test_a_result_that_nobody_waits_for_is_nobody_s_fault(place: BoincSite) -> None:
    data = good(place)
    (place.site.home.queue / "demo-1.zip").unlink()
    assert call(place, CHECK, uploaded(place, data)).returncode == 0
    assert call(place, CHECK, uploaded(place, b"{}")).returncode == 1


def test_a_damaged_work_unit_is_nobody_s_fault(place: BoincSite) -> None:
    data = good(place)
    (place.site.home.queue / "demo-1.zip").write_bytes(b"PK cut off")
    assert call(place, CHECK, uploaded(place, data)).returncode == 0
    assert call(place, CHECK, uploaded(place, b"{}")).returncode == 1


def test_a_work_unit_that_cannot_be_read_now_is_our_fault(place: BoincSite) -> None:
    data = good(place)
    unit = place.site.home.queue / "demo-1.zip"
    unit.unlink()
    unit.symlink_to(unit)
    assert call(place, CHECK, uploaded(place, data)).returncode == 3


@pytest.mark.parametrize("script", [CHECK, COMPARE])
def test_a_python_that_is_gone_is_our_fault(place: BoincSite, script: str) -> None:
    path = place.server.project.root / "bin" / f"{script}{ALONE}"
    path.write_text(path.read_text().replace("/bin/python", "/bin/gone-python"))
    data = uploaded(place, good(place))
    assert call(place, script, data, data).returncode == 3


@pytest.mark.parametrize("script", [CHECK, COMPARE])
def test_a_fault_of_ours_that_ends_costs_nobody_a_result(place: BoincSite, script: str) -> None:
    """The first two tries find no Python, as in the midst of an upgrade."""
    path = place.server.project.root / "bin" / f"{script}{ALONE}"
    python = path.with_name("python")
    python.write_text(
        f'#!/bin/sh\necho >>"$0.tries"\n[ "$(wc -l <"$0.tries")" -le 2 ] && exit 127\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    path.write_text(path.read_text().replace(f"'{sys.executable}'", f"'{python}'").replace("in 0 0;", "in 0 0 0;"))
    data = uploaded(place, good(place))
    assert call(place, script, data, *[data] * (script == COMPARE)).returncode == 0
    assert python.with_name("python.tries").read_text() == "\n\n\n"


def test_settings_that_cannot_be_read_say_nothing_about_results(place: BoincSite) -> None:
    data = uploaded(place, good(place))
    place.site.home.settings.write_text("engine = 3\nboinc_tolerrance = ")
    assert call(place, CHECK, data).returncode == 0
    assert call(place, COMPARE, data, data).returncode == 0


def test_the_tolerance_is_that_of_the_settings_when_it_was_installed(place: BoincSite) -> None:
    data = good(place)
    other = json.loads(data)
    shares = other["images"][0]["score"]["class_probabilities"]
    shares[0], shares[1] = shares[0] - 0.05, shares[1] + 0.05
    pair = uploaded(place, data), uploaded(place, json.dumps(other).encode(), f"{JOB}_1_r2_0")
    assert call(place, COMPARE, *pair).returncode == 1
    place.site = replace(place.site, settings=replace(place.site.settings, boinc_tolerance=0.1))
    install_into(place)
    assert call(place, COMPARE, *pair).returncode == 0


def test_a_script_of_a_former_version_is_answered(place: BoincSite) -> None:
    path = place.server.project.root / "bin" / COMPARE
    path.write_text(path.read_text().replace("compare=0.02", "compare"))
    data = uploaded(place, good(place))
    assert call(place, COMPARE, data, data).returncode == 0


def test_two_results_that_differ_by_rounding_say_the_same(place: BoincSite) -> None:
    data = good(place)
    other = json.loads(data)
    shares = other["images"][0]["score"]["class_probabilities"]
    shares[0], shares[1] = shares[0] - 0.001, shares[1] + 0.001
    one = uploaded(place, data)
    close = uploaded(place, json.dumps(other).encode(), f"{JOB}_1_r2_0")
    assert call(place, COMPARE, one, close).returncode == 0
    shares[0], shares[1] = shares[0] - 0.1, shares[1] + 0.1
    far = uploaded(place, json.dumps(other).encode(), f"{JOB}_1_r2_0")
    done = call(place, COMPARE, one, far)
    assert done.returncode == 1
    assert "class probabilities differ by 0.1" in done.stderr


def test_what_cannot_be_compared_is_never_compared_again(place: BoincSite) -> None:
    one = uploaded(place, good(place))
    large = Path(uploaded(place, b"{}", f"{JOB}_1_r2_0"))
    with large.open("r+b") as file:
        file.truncate(20_000_000_000)
    for other in (str(large), f"/nowhere/{JOB}_2_r3_0", uploaded(place, b"[" * 100_000, f"{JOB}_3_r4_0")):
        assert call(place, COMPARE, one, other).returncode == 1


def test_a_canonical_result_is_spooled(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    for _ in range(2):  # the daemon may die after the script and call again
        done = call(place, ASSIMILATE, "17", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (folder,) = place.site.home.incoming.iterdir()
    assert folder.name == "17"
    assert [each.name for each in folder.iterdir()] == [Path(path).name]
    with place.engine as engine:
        assert engine.take_over() == 1
    assert (place.site.home.returned / "demo-1" / "result.json").is_file()


def test_two_assimilators_at_once_spool_a_result_once(place: BoincSite) -> None:
    path, root = uploaded(place, good(place)), place.server.project.root
    command = f"../bin/{ASSIMILATE} 31 {path}"
    many = [subprocess.Popen(command, shell=True, cwd=root / "log_lab") for _ in range(20)]
    assert [process.wait(PATIENCE_S) for process in many] == [0] * 20
    (folder,) = place.site.home.incoming.iterdir()
    assert [each.name for each in folder.iterdir()] == [Path(path).name]


def test_a_failed_work_unit_is_noted(place: BoincSite) -> None:
    done = call(place, ASSIMILATE, "--error", "2", JOB, "18", "0")
    assert done.returncode == 0
    assert (place.site.home.incoming / "error-18").read_text() == f"error mask 2, {JOB}, work unit 18, batch 0\n"


def test_a_file_that_is_gone_does_not_stop_the_assimilator(place: BoincSite) -> None:
    assert call(place, ASSIMILATE, "19", "/nowhere/file").returncode == 0
    assert list(place.site.home.incoming.iterdir()) == []


def test_a_spool_that_cannot_be_written_does_not_stop_the_assimilator(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    shutil.rmtree(place.site.home.incoming)
    assert call(place, ASSIMILATE, "20", path).returncode == 0
    assert call(place, ASSIMILATE, "--error", "2", JOB, "21", "0").returncode == 0


def test_a_spool_that_cannot_be_written_is_waited_for(place: BoincSite) -> None:
    """It is back after the first pause, and no second try is made."""
    path, script = uploaded(place, good(place)), place.server.project.root / "bin" / ASSIMILATE
    shutil.rmtree(place.site.home.incoming)
    text = script.read_text().replace("in 0 0;", "in 0 1 2;")
    script.write_text(text.replace('sleep "$pause"', '[ "$pause" = 0 ] || mkdir "$spool" || exit 9'))
    assert call(place, ASSIMILATE, "20", path).returncode == 0
    (folder,) = place.site.home.incoming.iterdir()
    assert (folder / Path(path).name).read_bytes() == Path(path).read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which takes root")
def test_a_full_spool_leaves_nothing_half_written(place: BoincSite) -> None:
    path = uploaded(place, good(place) + b" " * 200_000)
    incoming = place.site.home.incoming
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", incoming], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        assert call(place, ASSIMILATE, "22", path).returncode == 0
        assert list(incoming.iterdir()) == []
    finally:
        subprocess.run(["umount", incoming], check=True)


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    changes = install_into(place)
    assert any("script_assimilator" in line for line in changes)
    assert [each["tool"] for each in place.server.calls] == ["xadd"]
    config = (place.server.project.root / "config.xml").read_text()
    assert install_into(place) == []
    assert (place.server.project.root / "config.xml").read_text() == config
    before = (place.server.project.root / "config.xml.before-crystal_search").read_text()
    assert "script_validator" not in before
    assert "<db_passwd>secret</db_passwd>" in config
    for daemon in (
        "crystal_search_answer",
        "transitioner -d 3 --sleep_interval 1",
        "feeder -d 3 -priority_order --sleep_interval 1",
    ):
        assert f"<cmd>{daemon}</cmd>" in config


def test_clients_ask_again_as_often_as_the_settings_say(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    install(place.site.home, replace(place.site.settings, boinc_poll_seconds=7.5))
    assert "<next_rpc_delay>7.5</next_rpc_delay>" in (place.server.project.root / "config.xml").read_text()


@pytest.mark.parametrize(("shared", "number"), [(False, "1"), (True, "0")])
def test_an_account_confirms_itself_only_where_it_is_said_to_be_shared(
    tmp_path: Path, shared: bool, number: str
) -> None:
    place = boinc_site(tmp_path)
    install(place.site.home, replace(place.site.settings, boinc_shared_account=shared))
    config = (place.server.project.root / "config.xml").read_text()
    assert f"<one_result_per_user_per_wu>{number}</one_result_per_user_per_wu>" in config
    assert "<one_result_per_host_per_wu>1</one_result_per_host_per_wu>" in config
    again = install(place.site.home, replace(place.site.settings, boinc_shared_account=not shared))
    assert again == [f"set <one_result_per_user_per_wu> to {int(shared)}"]


def test_every_option_of_the_server_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "boinc.md").read_text(encoding="utf-8")
    assert [name for name in options(Settings()) if f"`{name}`" not in page] == []


def test_comments_in_the_project_s_files_stay(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    config = place.server.project.root / "config.xml"
    config.write_text(config.read_text().replace("<tasks/>", "<!-- ask the lab before changing this --><tasks/>"))
    install_into(place)
    assert "<!-- ask the lab before changing this -->" in config.read_text()


def test_the_file_with_the_password_keeps_its_mode(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    config = place.server.project.root / "config.xml"
    config.chmod(0o640)
    install_into(place)
    for path in (config, config.with_name("config.xml.before-crystal_search")):
        assert path.stat().st_mode & 0o777 == 0o640


def test_a_number_that_is_none_is_told(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    config = place.server.project.root / "config.xml"
    config.write_text(config.read_text().replace(">1024<", ">many<"))
    with pytest.raises(ConfigError, match="uldl_dir_fanout"):
        install_into(place)


def test_templates_say_what_the_settings_ask_for() -> None:
    assert "<min_quorum>2</min_quorum>" in input_template(Settings())
    assert "<min_quorum>1</min_quorum>" in input_template(Settings(boinc_replication="adaptive"))
    assert "<open_name>result.json</open_name>" in output_template(Settings())
    assert "<report_immediately/>" in output_template(Settings())


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    with pytest.raises(ConfigError, match="holds no BOINC project"):
        install(place.site.home, replace(place.site.settings, boinc_project=str(tmp_path)))


def test_a_project_works_for_one_home(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    install_into(place)
    other = Home(tmp_path / "another home")
    script = place.server.project.root / "bin" / ASSIMILATE
    before = script.read_text()
    with pytest.raises(ConfigError, match=r"works for .*/home, not for .*/another home.*--take-over"):
        install(other, place.site.settings)
    assert script.read_text() == before
    (line, *_) = install(other, place.site.settings, take_over=True)
    assert "no longer for" in line
    assert str(other.incoming) in script.read_text()
    with pytest.raises(ConfigError, match="works for"):
        project_engine(place.site.home, place.site.settings, tmp_path)
    project_engine(other, place.site.settings, tmp_path)


def test_what_would_grow_for_years_is_taken_away_by_daemons_that_are_there_once(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    install_into(place)
    config = place.server.project.root / "config.xml"
    assert "<cmd>file_deleter -d 2</cmd>" in config.read_text()
    config.write_text(re.sub(r"<cmd>db_purge [^<]*", "<cmd>db_purge -d 3 --min_age_days 400", config.read_text()))
    assert install_into(place) == []
    assert config.read_text().count("db_purge") == 1


def test_accounts_need_an_invitation_that_stays(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    project = place.server.project
    pages = project.root / "html" / "project" / "project.inc"
    pages.chmod(0o640)
    install_into(place)
    code = invitation(project)
    assert len(code) == 12
    assert pages.read_text().startswith(f"<?php\ndefine('INVITE_CODES', '/^{code}$/');\nrequire_once")
    assert pages.stat().st_mode & 0o777 == 0o640
    install_into(place)
    assert invitation(project) == code


def test_codes_that_somebody_else_made_stay(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    pages = place.server.project.root / "html" / "project" / "project.inc"
    pages.write_text('<?php\ndefine("INVITE_CODES", "/spring|summer/");\n')
    install_into(place)
    assert pages.read_text().count("INVITE_CODES") == 1
    with pytest.raises(UserError, match=r"make the account on http://lab\.example/cs/"):
        invitation(place.server.project)


@contextmanager
def pages_that_say(answer: str, place: BoincSite) -> Iterator[list[str]]:
    """Serve the page that makes accounts; give the queries it got."""
    asked: list[str] = []

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        place.server.project = replace(place.server.project, master_url=f"http://127.0.0.1:{server.server_port}/cs/")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def test_an_invited_volunteer_has_an_account_and_has_it_still_when_invited_again(place: BoincSite) -> None:
    with pages_that_say("<account_out>\n <authenticator>0a1b2c</authenticator>\n</account_out>", place) as asked:
        for _ in range(2):
            assert make_account(place.server.project, "ada@lab.example", "ada") == "0a1b2c"
    words = dict(parse_qsl(asked[0].partition("?")[2]))
    assert words["invite_code"] == invitation(place.server.project)
    assert (words["email_addr"], words["user_name"], len(words["passwd_hash"])) == ("ada@lab.example", "ada", 32)
    assert asked[0] == asked[1]


def test_an_invitation_says_how_a_pc_attaches(place: BoincSite, capsys: pytest.CaptureFixture[str]) -> None:
    site, config = place.site, place.server.project.root / "config.xml"
    site.home.settings.write_text(f'engine = "boinc"\nboinc_project = "{site.settings.boinc_project}"\n')
    with pages_that_say("<authenticator>0a1b2c</authenticator>", place):
        url = place.server.project.master_url
        config.write_text(config.read_text().replace("http://lab.example/cs/", url))
        assert main(["boinc", "invite", "ada@lab.example", "--home", str(site.home.path)]) == 0
    assert capsys.readouterr().out.endswith(f": boinccmd --project_attach {url} 0a1b2c\n")


def test_why_there_is_no_account_is_told(place: BoincSite) -> None:
    with (
        pages_that_say("<error>\n<error_num>-1</error_num>\n<error_msg>Invalid invitation code</error_msg>", place),
        pytest.raises(EngineError, match=r"no account for ada@lab\.example: Invalid invitation code"),
    ):
        make_account(place.server.project, "ada@lab.example", "ada")
    with pytest.raises(EngineError, match="does the web server run"):
        make_account(place.server.project, "ada@lab.example", "ada")
    with pytest.raises(UserError, match="no mail address"):
        make_account(place.server.project, "ada", "ada")


def test_the_page_explains_every_option_that_is_set() -> None:
    page = (Path(__file__).parents[2] / "docs" / "boinc.md").read_text(encoding="utf-8")
    assert [name for name in options(Settings()) if f"`{name}`" not in page] == []
