"""The release of homeroom that runs."""

from pathlib import Path


def release() -> str:
    """The version of the checkout that the code runs from, else that of the installed package."""
    import tomllib
    from importlib.metadata import PackageNotFoundError, version

    project = Path(__file__).parent.parent / "pyproject.toml"
    try:
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return version("homeroom")
    except PackageNotFoundError:
        return "of unknown version"
