"""A wrong setting is one readable line; a secret is in none of them."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from notifier.settings import NotifierSettings
from streams.relay.settings import RelaySettings
from streams.settings import Settings, SettingsError, load, masked

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("HOMEROOM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


WRONG = [
    ("PARTITIONS", "zero", "valid integer"),
    ("PARTITIONS", "0", "greater than or equal to 1"),
    ("REPLICATION", "11", "less than or equal to 10"),
    ("BROKER", "localhost", "expected host:port"),
    ("BROKER", "a:1,b", "expected host:port"),
    ("BROKER", "", "expected host:port"),
    ("PREFIX", "x" * 65, "at most 64"),
    ("GROUP", "", "at least 1"),
    ("STORE", "http://x", "expected clickhouse://"),
    ("STORE", "clickhouse://h:99999/d", "port"),
    ("CLOCK", "wall", "'live' or 'replay'"),
    ("LATENESS_HOURS", "73", "less than or equal to 72"),
    ("LATENESS_HOURS", "nan", "less than or equal to 72"),
    ("TOLERANCE_HOURS", "-1", "greater than or equal to 0"),
    ("BARRIER_S", "0", "greater than 0"),
    ("IDLE_S", "soon", "valid number"),
    ("CHECKPOINT_S", "301", "less than or equal to 300"),
    ("BATCH_RECORDS", "1.5", "valid integer"),
    ("FETCH_WAIT_MS", "0", "greater than or equal to 1"),
    ("BACKLOG_RECORDS", "0", "greater than or equal to 1"),
    ("SESSION_TIMEOUT_S", "0", "greater than or equal to 1"),
    ("METRICS_PORT", "65536", "less than or equal to 65535"),
    ("CAP_DAYS", "0", "greater than or equal to 1"),
    ("HOLDOUT_SHARE", "1.1", "less than or equal to 1"),
    ("CONFIRM_DAYS", "two", "valid integer"),
    ("MEDIUM_ENTER", "x", "valid number"),
    ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"HOMEROOM_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load()
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith(f"HOMEROOM_{name} is {value!r}: ")
    assert words in line


def test_every_wrong_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEROOM_PARTITIONS", "0")
    monkeypatch.setenv("HOMEROOM_CLOCK", "wall")
    with pytest.raises(SettingsError) as refused:
        load()
    assert [line.partition(" ")[0] for line in str(refused.value).splitlines()] == [
        "HOMEROOM_PARTITIONS",
        "HOMEROOM_CLOCK",
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"medium_enter": 0.3}, "medium_leave is 0.35; expected less than medium_enter, which is 0.3"),
        ({"medium_enter": 0.7}, "expected at most high_leave"),
        ({"high_enter": 1.5}, "high_enter is 1.5; expected at most 1"),
        ({"high_enter": float("nan")}, "expected less than high_enter"),
        ({"confirm_days": 0}, "confirm_days is 0; expected 1 to 28"),
    ],
)
def test_settings_that_contradict_each_other_are_one_line(given: dict[str, float], words: str) -> None:
    bounds = {"medium_enter": 0.45, "medium_leave": 0.35, "high_enter": 0.75, "high_leave": 0.65}
    with pytest.raises(SettingsError, match="settings contradict each other: ") as refused:
        load(**bounds | given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "homeroom.env").write_text("HOMEROOM_PARTITIONS=7\nHOMEROOM_GROUP=file\n", encoding="utf-8")
    monkeypatch.setenv("HOMEROOM_GROUP", "environment")
    assert (load().partitions, load().group) == (7, "environment")
    assert load(partitions=9).partitions == 9
    assert load(partitions=None).partitions == 7


def test_another_file_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text("HOMEROOM_PARTITIONS=zero\n", encoding="utf-8")
    monkeypatch.setenv("HOMEROOM_SETTINGS", str(other))
    with pytest.raises(SettingsError, match="HOMEROOM_PARTITIONS is 'zero'"):
        load()


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEROOM_SETTINGS", "nowhere.env")
    with pytest.raises(SettingsError, match=r"HOMEROOM_SETTINGS is 'nowhere.env': .*expected a file"):
        load()


def test_all_that_listens_by_default_can_do_so_on_one_machine() -> None:
    ports = [
        field.default
        for kind in (Settings, NotifierSettings, RelaySettings)
        for name, field in kind.model_fields.items()
        if name.endswith("port")
    ]
    assert len(ports) >= 4
    assert len(set(ports)) == len(ports)


def test_secrets_are_nowhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HOMEROOM_PSEUDONYM_KEY", SECRET)
    monkeypatch.setenv("HOMEROOM_STORE_PASSWORD", SECRET)
    monkeypatch.setenv("HOMEROOM_STORE", f"clickhouse://user:{SECRET}@host/db")
    now = load()
    logging.getLogger("test").warning("%s %r %s", now, now, now.identity)
    texts = [
        caplog.text,
        repr(now),
        str(now),
        repr(now.identity),
        repr(now.store_address),
        str(now.store_address),
    ]
    texts += [masked(now, name) for name in Settings.model_fields]
    assert [text for text in texts if SECRET in text] == []
    assert now.store_address is not None
    assert now.store_address.password == SECRET
    assert now.identity.learner("l") != load(pseudonym_key="other").identity.learner("l")


@pytest.mark.parametrize("store", [f"clickhouse://user:{SECRET}@host:x/db", f"http://user:{SECRET}@host/db"])
def test_secrets_are_in_no_error(monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    monkeypatch.setenv("HOMEROOM_STORE", store)
    with pytest.raises(SettingsError) as refused:
        load()
    assert SECRET not in str(refused.value)
    assert "user:…@host" in str(refused.value)


def test_a_store_may_be_left_out() -> None:
    assert load(store="").store_address is None


def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command line in a process of its own."""
    path = os.pathsep.join([str(Path(__file__).parent.parent.parent), os.environ["PYTHONPATH"]])
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environment},
    )


def test_the_command_line_says_it_in_one_line() -> None:
    ended = command("worker", HOMEROOM_PARTITIONS="zero")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("homeroom: HOMEROOM_PARTITIONS is 'zero': ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("key", ["", "short"])
def test_a_live_worker_wants_a_secret_worth_the_name(key: str) -> None:
    ended = command("worker", HOMEROOM_PSEUDONYM_KEY=key)
    assert ended.returncode == 2
    assert ended.stderr.startswith("homeroom: HOMEROOM_PSEUDONYM_KEY has ")
    assert "at least 16 characters" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "short" not in ended.stderr
