"""The settings of a command that replays past events."""

from typing import Any

from streams.settings import DEMO_KEY, Settings, load


def replay_settings(**overrides: Any) -> Settings:
    """The settings with the replay clock, and with the demo's key for pseudonyms where they have none.

    Raises:
        SettingsError: a setting, or one of ``overrides``, is wrong.
    """
    settings = load(clock="replay", **overrides)
    if settings.pseudonym_key.get_secret_value():
        return settings
    return load(clock="replay", pseudonym_key=DEMO_KEY, **overrides)
