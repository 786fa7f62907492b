"""The full stack's files, checked without Docker: schema, paths, commands, settings, and what runs natively.

What this cannot show is that the images start. It shows that nothing in our files stands in their way: each
file that they are given is there and is accepted by the program it is for, each command is one that
``homeroom`` has, each setting one that it knows.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from prometheus_client import CollectorRegistry, start_http_server

from console.access import entry, make_key
from grafana.clickhouse import PLUGIN_VERSION
from local import brokers
from notifier.settings import NotifierSettings
from sinks.store import BOUNDS
from streams import topics
from streams.relay.settings import RelaySettings
from streams.settings import Settings
from tests import brokers as test_brokers
from tests import stores
from tests.brokers import TestBroker
from tests.required import lacking
from tests.stores import fresh_database, real_server_or_embedded

ROOT = Path(__file__).parent.parent
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = ("setup", "worker", "ingest", "notifier", "relay", "console")
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "prometheus/alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
METRICS_PORT = 9464
KNOWN = {
    f"{kind.model_config['env_prefix']}{name.upper()}"
    for kind in (Settings, NotifierSettings, RelaySettings)
    for name in kind.model_fields
}
"""Every setting's name in the environment."""


def dockerfile() -> list[str]:
    """The Dockerfile's instructions, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def mounts() -> list[tuple[str, str]]:
    """(service, path in the repository) of everything that the stack reads from it."""
    return [
        (name, volume.split(":")[0])
        for name, service in SERVICES.items()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]


def commands() -> list[list[str]]:
    """Every ``homeroom`` command line that the stack runs."""
    commands = []
    for name in OURS:
        service = SERVICES[name]
        if "entrypoint" in service:
            parts = [shlex.split(part) for line in service["command"] for part in line.split("&&")]
        else:
            parts = [["homeroom", *service["command"]]]
        commands.extend(parts)
    return commands


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bhomeroom_[a-z_]+", text))


def test_the_stack_keeps_to_the_compose_specification() -> None:
    package = distribution("check-jsonschema")
    path = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(Path(str(package.locate_file(path))).read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(STACK)] == []
    assert not validator.is_valid(STACK | {"services": {"worker": {"imagee": "homeroom"}}})


@pytest.mark.parametrize(("service", "path"), mounts())
def test_what_is_mounted_is_there(service: str, path: str) -> None:
    assert (ROOT / path).exists(), f"{service} mounts {path}, which is not in the repository"


def test_volumes_and_dependencies_are_declared() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith(".") or source in STACK["volumes"], (name, volume)
        for other, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"], f"{name} waits for the health of {other}"


def test_images_are_pinned_and_ports_stay_on_this_machine() -> None:
    for name, service in SERVICES.items():
        if name not in OURS:
            assert re.fullmatch(r"[a-z/-]+:v?\d+(\.\d+)+", service["image"]), service["image"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} opens {port} to everybody"


def test_every_secret_must_be_given_and_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    used = dict(re.findall(r"\$\{([A-Z_]+)(:\?[^}]+)?\}", text))
    example = (ROOT / ".env.example").read_text("utf-8")
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert set(used) == set(values)
    assert all(used.values()), "each needs a message for when it is not given"
    assert not any(values.values()), "an example secret that works is used"


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_that_homeroom_has(command: list[str]) -> None:
    pytest.importorskip("cli.main", reason="the command line is not there yet")
    assert command[0] == "homeroom"
    code = "import sys; from cli.main import main; sys.argv[0] = 'homeroom'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command[1:], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert command[-1] in done.stdout


@pytest.mark.parametrize("service", OURS)
def test_every_setting_is_one_that_homeroom_knows(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES[service]["environment"]
    for name in environment:
        assert name in KNOWN, f"{name}: homeroom has no such setting"
    for name in [name for name in os.environ if name.startswith("HOMEROOM_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]+\}", "0123456789abcdef" * 4, value))
    Settings(_env_file=None)
    NotifierSettings(_env_file=None)
    RelaySettings(_env_file=None)


@pytest.mark.parametrize("service", ["notifier", "relay"])
def test_an_example_holds_settings_and_no_secret_that_works(service: str) -> None:
    example = (ROOT / f"{service}.env.example").read_text("utf-8")
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert values.keys() <= KNOWN
    assert not any(
        value for name, value in values.items() if name.endswith(("KEY", "KEYS", "PASSWORD", "TOKEN"))
    )


def test_the_image_is_built_from_files_that_the_build_may_see() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    packages = yaml.safe_load(
        re.search(r"^include = (\[.*\])$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[1]  # type: ignore[index]
    )
    assert {package.rstrip("*") for package in packages} <= allowed
    for line in dockerfile():
        if line.startswith("COPY") and "--from" not in line and line != "COPY . .":
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), f"{line}: {source} is not in the repository"
                assert source.split("/")[0] in allowed


def test_the_image_runs_as_nobody_in_particular() -> None:
    final = dockerfile()[max(n for n, line in enumerate(dockerfile()) if line.startswith("FROM")) :]
    assert "USER homeroom" in final
    assert final.index("USER homeroom") < final.index('ENTRYPOINT ["homeroom"]')
    assert f"EXPOSE {METRICS_PORT}" in final


def test_the_health_check_tells_a_worker_from_none() -> None:
    check = next(line for line in dockerfile() if line.startswith("HEALTHCHECK"))
    command = json.loads(check[check.index("[") :])
    server, thread = start_http_server(0, addr="127.0.0.1", registry=CollectorRegistry())
    here = [
        sys.executable,
        *(part.replace(f":{METRICS_PORT}/", f":{server.server_port}/") for part in command[1:]),
    ]
    assert here[1:] != command[1:]
    try:
        assert subprocess.run(here, capture_output=True, timeout=30, check=False).returncode == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert subprocess.run(here, capture_output=True, timeout=30, check=False).returncode != 0


def test_prometheus_finds_every_worker_and_notifier() -> None:
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    for job, service, setting in (
        ("homeroom", "worker", "HOMEROOM_METRICS_PORT"),
        ("homeroom-notifier", "notifier", "HOMEROOM_NOTIFIER_METRICS_PORT"),
        ("homeroom-relay", "relay", "HOMEROOM_RELAY_METRICS_PORT"),
    ):
        (discovery,) = jobs[job]["dns_sd_configs"]
        assert (discovery["names"], discovery["port"]) == ([service], METRICS_PORT)
        assert SERVICES[service]["environment"][setting] == str(METRICS_PORT)
        assert SERVICES[service]["expose"] == [str(METRICS_PORT)]
    assert PROMETHEUS["rule_files"] == ["alerts.yml"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_its_page_and_rests_on_real_metrics(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook"]
    assert page.is_file()
    assert rule["alert"] in page.read_text("utf-8"), "the page names its alert, so that a search finds it"
    modules = (ROOT / "streams/metrics.py", ROOT / "notifier/metrics.py")
    source = "".join(module.read_text("utf-8") for module in modules)
    for name in metrics_in(rule["expr"]):
        assert name in source or name.removesuffix("_total") in source, f"nothing exports {name}"


@pytest.mark.parametrize("check", ["check config prometheus.yml", "test rules alerts_test.yml"])
def test_prometheus_accepts_its_files_and_the_alerts_do_what_they_say(check: str) -> None:
    if shutil.which("promtool") is None:
        lacking("promtool", "no promtool here (Debian: prometheus)")
    done = subprocess.run(
        ["promtool", *check.split()], cwd=ROOT / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_console_serves_with_the_stacks_settings(broker: TestBroker, prefix: str, tmp_path: Path) -> None:
    """Its command with its environment; addresses, secrets and the place of its files are this machine's."""
    service = SERVICES["console"]
    port, keys = brokers.free_port(), tmp_path / "keys.toml"
    shown, key = make_key("Ada Byron", "admin", [])
    keys.write_text(entry(key), encoding="utf-8")
    assert service["environment"]["HOMEROOM_CONSOLE_KEYS"] == f"/run/secrets/{service['secrets'][0]}"
    assert service["secrets"][0] in STACK["secrets"]
    listens = Settings.model_fields["console_port"].default
    assert service["ports"] == [f"127.0.0.1:{listens}:{listens}"]
    with real_server_or_embedded(tmp_path / "store") as server, fresh_database(server) as store:
        here = {
            "HOMEROOM_BROKER": broker.address,
            "HOMEROOM_PREFIX": prefix,
            "HOMEROOM_STORE": str(store),
            "HOMEROOM_STORE_PASSWORD": store.password,
            "HOMEROOM_STORE_READER": "",  # this store was made without one
            "HOMEROOM_STORE_READER_PASSWORD": "",
            "HOMEROOM_PSEUDONYM_KEY": "0123456789abcdef",
            "HOMEROOM_CONSOLE_HOST": "127.0.0.1",
            "HOMEROOM_CONSOLE_PORT": str(port),
            "HOMEROOM_CONSOLE_KEYS": str(keys),
        }
        assert here.keys() - service["environment"].keys() == {"HOMEROOM_PREFIX", "HOMEROOM_CONSOLE_PORT"}
        topics.create(broker.address, 2, 1, prefix)
        with subprocess.Popen(
            [sys.executable, "-m", "cli.main", *service["command"]],
            cwd=ROOT,
            env=os.environ | service["environment"] | here,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            healthy = [*service["healthcheck"]["test"][2:]]
            healthy[-1] = healthy[-1].replace(f":{listens}/", f":{port}/")
            try:
                deadline = time.monotonic() + 90
                while subprocess.run([sys.executable, *healthy], capture_output=True, check=False).returncode:
                    assert process.poll() is None, process.stdout and process.stdout.read()
                    assert time.monotonic() < deadline, "no answer"
                    time.sleep(0.5)
                asking = {"Authorization": f"Bearer {shown}"}
                answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/risks", headers=asking, timeout=20)
                assert (answer.status_code, answer.json()["total"]) == (200, 0)
            finally:
                process.terminate()
                output, _ = process.communicate(timeout=30)
            assert "Traceback" not in output, output


def test_the_boards_user_reads_and_no_more() -> None:
    assert {path for service, path in mounts() if service == "clickhouse"} == {
        "./clickhouse/users.d/boards.xml",
        "./clickhouse/users.d/reader.xml",
    }
    root = ET.parse(ROOT / "clickhouse/users.d/boards.xml").getroot()
    assert root.findtext("profiles/boards/readonly") == "2"
    assert root.findtext("users/boards/profile") == "boards"
    assert [query.text for query in root.iterfind("users/boards/grants/query")] == [
        "GRANT SELECT ON homeroom.*"
    ]
    password = root.find("users/boards/password")
    assert password is not None
    assert password.text is None
    assert password.attrib["from_env"] in SERVICES["clickhouse"]["environment"]


def test_the_tests_run_on_the_stacks_images() -> None:
    assert SERVICES["kafka"]["image"] == test_brokers.CONTAINER_IMAGE
    assert SERVICES["clickhouse"]["image"] == stores.IMAGE


def test_the_stores_health_is_that_of_the_server_that_others_reach() -> None:
    """The image's first start runs a server for set-up that listens on the loopback alone."""
    check = SERVICES["clickhouse"]["healthcheck"]["test"]
    assert "http://clickhouse:8123/ping" in check
    assert "127.0.0.1" not in str(check)


def test_the_setup_is_run_again_where_it_failed() -> None:
    assert SERVICES["setup"]["restart"] == "on-failure"


def test_the_boards_plugin_is_the_one_that_they_were_drawn_with() -> None:
    plugin = SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    assert plugin == f"grafana-clickhouse-datasource@{PLUGIN_VERSION}"


def test_the_readers_bounds_are_the_same_on_a_server() -> None:
    root = ET.parse(ROOT / "clickhouse/users.d/reader.xml").getroot()
    profile = {element.tag: element.text for element in root.find("profiles/reader") or ()}
    assert profile == {name: str(most) for name, most in BOUNDS.items()} | {"readonly": "1"}
    assert [query.text for query in root.iterfind("users/reader/grants/query")] == [
        "GRANT SELECT ON homeroom.*"
    ]
    password = root.find("users/reader/password")
    assert password is not None
    assert password.attrib["from_env"] in SERVICES["clickhouse"]["environment"]
    assert SERVICES["console"]["environment"]["HOMEROOM_STORE_READER"] == "reader"


@pytest.mark.apache
def test_apache_kafka_starts_with_the_stacks_settings(tmp_path: Path) -> None:
    """The same properties file, with addresses of this machine appended, as the image appends its own."""
    try:
        java, jars = brokers.find_java(), brokers.kafka_jars()
    except brokers.BrokerUnavailableError as missing:
        lacking("kafka", str(missing))
    inside, host, controller = (brokers.free_port() for _ in range(3))
    properties = tmp_path / "server.properties"
    properties.write_text(
        (ROOT / "broker/server.properties").read_text("utf-8")
        + f"\nlisteners=INTERNAL://127.0.0.1:{inside},HOST://127.0.0.1:{host},CONTROLLER://localhost:{controller}"
        + f"\nadvertised.listeners=INTERNAL://127.0.0.1:{inside},HOST://127.0.0.1:{host}"
        + f"\ncontroller.quorum.voters=1@localhost:{controller}\nlog.dirs={tmp_path / 'data'}\n"
    )
    run = [java, "-Xmx512m", "-cp", f"{jars}/*"]
    cluster = SERVICES["kafka"]["environment"]["CLUSTER_ID"]
    storage = [
        *run,
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        cluster,
        "--config",
        str(properties),
    ]
    subprocess.run(storage, check=True, capture_output=True, timeout=120, cwd=tmp_path)
    with subprocess.Popen(
        [*run, "kafka.Kafka", str(properties)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            for port in (host, inside):
                deadline = time.monotonic() + 90
                while not brokers.is_up(f"127.0.0.1:{port}"):
                    assert time.monotonic() < deadline, f"no answer on {port}"
                    assert server.poll() is None, "it ended at once"
                    time.sleep(0.5)
        finally:
            server.terminate()
            server.wait(timeout=60)
