"""The declarations of features are sound, and the page that documents them is in step."""

import hashlib
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from cli import feature_table as document
from features.catalogue import (
    BINS,
    FEATURES,
    FINGERPRINT,
    HALF_LIVES,
    INDEX,
    KIND_GROUPS,
    NAMES,
    WINDOWS,
    Feature,
    Linear,
    Log,
)
from schemas.activity import ACTIVITY_KINDS


def test_names_are_unique_and_plain() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(FEATURES)
    assert [name for name in NAMES if not re.fullmatch(r"[a-z][a-z_]*[a-z](_\d+)?", name)] == []


def test_the_index_is_the_place_in_every_array() -> None:
    assert all(FEATURES[index].name == name for name, index in INDEX.items())
    assert sorted(INDEX.values()) == list(range(len(FEATURES)))


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_says_what_it_means(feature: Feature) -> None:
    assert feature.unit
    assert feature.meaning
    assert "|" not in feature.meaning, "would break the docs' table"
    match feature.scale:
        case Log(per_octave):
            assert per_octave > 0
        case Linear(low, high):
            assert low < high


def test_every_activity_kind_is_counted_in_one_group() -> None:
    grouped = [kind for kinds in KIND_GROUPS.values() for kind in kinds]
    assert sorted(grouped) == sorted(ACTIVITY_KINDS)


def test_windows_and_half_lives_are_declared() -> None:
    assert {f"clicks_{w}" for w in WINDOWS} | {f"active_days_{w}" for w in WINDOWS} <= set(NAMES)
    assert {f"ewma_{h}" for h in HALF_LIVES} <= set(NAMES)


def _fingerprint(features: tuple[Feature, ...]) -> str:
    return hashlib.sha256(repr((BINS, features)).encode()).hexdigest()[:16]


def test_the_fingerprint_changes_with_a_declaration_and_with_the_order() -> None:
    assert _fingerprint(FEATURES) == FINGERPRINT
    assert _fingerprint(FEATURES[::-1]) != FINGERPRINT
    assert _fingerprint((replace(FEATURES[0], unit="mouse clicks"), *FEATURES[1:])) != FINGERPRINT


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    """Stored data outlives the process: nothing of it, such as hash seeds, may be in the fingerprint."""
    command = [sys.executable, "-c", "from features.catalogue import FINGERPRINT; print(FINGERPRINT)"]
    process = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert process.stdout.strip() == FINGERPRINT


def test_the_page_is_up_to_date_and_has_every_feature() -> None:
    assert document.FILE.read_text(encoding="utf-8") == document.document()
    rows = document.table().splitlines()[2:]
    assert [row.split(" | ")[1].strip("`") for row in rows] == list(NAMES)
