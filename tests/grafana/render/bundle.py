"""Grafana's own panel code as one script for a browser: the packages of ``package-lock.json``, bundled.

Installed and built once for each state of the files beside this one, in
``.cache/grafana``. Asks for Node.js and npm; the test that needs them says so where they are not there.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "grafana"
PACKAGES = ("package.json", "package-lock.json")
SOURCES = ("page.jsx", "panels.jsx", "checks.js", "plugins.js")
LOADERS = {".woff2": "dataurl", ".woff": "empty", ".ttf": "empty", ".svg": "empty", ".png": "empty"}
TOOLS = ("node", "npm")
TIMEOUT_S = 600.0


class NotInstalledError(Exception):
    """Node.js or npm is not there."""


def version() -> str:
    """Of Grafana, whose code it is."""
    packages = json.loads((HERE / "package.json").read_text("utf-8"))["devDependencies"]
    (release,) = {text for name, text in packages.items() if name.startswith("@grafana/")}
    return str(release)


def bundle() -> Path:
    """The folder that holds ``page.js`` and ``page.css``.

    Raises:
        NotInstalledError: the tools are not there.
        RuntimeError: npm or esbuild failed; with what it printed.
    """
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise NotInstalledError(f"Grafana's panel code needs {' and '.join(missing)}")
    modules = CACHE / f"packages-{_digest(PACKAGES)}" / "node_modules"
    if not modules.exists():
        _once(modules.parent, _install)
    made = CACHE / f"page-{_digest((*PACKAGES, *SOURCES))}"
    if not made.exists():
        _once(made, lambda folder: _build(folder, modules))
    return made


def _install(folder: Path) -> None:
    for name in PACKAGES:
        shutil.copy(HERE / name, folder)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)


def _build(folder: Path, modules: Path) -> None:
    options = [f"--loader:{ending}={loader}" for ending, loader in LOADERS.items()]
    bundled = [
        "--bundle",
        "--format=iife",
        "--minify",
        "--log-level=error",
        f"--outfile={folder / 'page.js'}",
    ]
    command = [str(modules / ".bin" / "esbuild"), str(HERE / "page.jsx"), *bundled, *options]
    _run([*command, '--define:process.env.NODE_ENV="production"'], HERE, NODE_PATH=str(modules))


def _once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill another folder first, so that a run that was ended half-way leaves nothing that looks whole."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as unfinished:
        whole = Path(unfinished) / "whole"
        whole.mkdir()
        fill(whole)
        whole.rename(folder)


def _digest(names: tuple[str, ...]) -> str:
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in names)).hexdigest()[:16]


def _run(command: list[str], folder: Path, **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
