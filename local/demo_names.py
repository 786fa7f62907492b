"""Names for simulated learners, so that the demo's page looks like a real one."""

from collections.abc import Iterable
from zlib import crc32

GIVEN_NAMES = (
    "Amara", "Anouk", "Arjun", "Beatriz", "Bo", "Chidi", "Clara", "Dana", "Diego", "Elif", "Emil",
    "Farah", "Finn", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jamal", "Jonas", "Kaya", "Kenji",
    "Laila", "Leo", "Lucia", "Maja", "Malik", "Mei", "Mira", "Nadia", "Noah", "Olga", "Omar", "Priya",
    "Rafael", "Rosa", "Samir", "Sofia", "Tariq", "Tessa", "Uma", "Viktor", "Wanja", "Yara", "Yusuf",
    "Zoe",
)  # fmt: skip
FAMILY_NAMES = (
    "Abara", "Almeida", "Bauer", "Bergström", "Castillo", "Chen", "Demir", "Diallo", "Eriksen",
    "Farouk", "Ferrari", "Gupta", "Haddad", "Hansen", "Ito", "Jansen", "Kovač", "Kowalski", "Laurent",
    "Lindqvist", "Mbeki", "Moreau", "Nakamura", "Novák", "Okafor", "Ortiz", "Park", "Patel", "Quist",
    "Rossi", "Sato", "Schmid", "Silva", "Tanaka", "Torres", "Ueda", "Varga", "Weber", "Yilmaz", "Zhou",
)  # fmt: skip


def simulated_names(learners: Iterable[str]) -> dict[str, str]:
    """Learner id → a made-up name, a function of the id alone."""
    names = {}
    for learner in learners:
        hashed = crc32(learner.encode())
        names[learner] = (
            f"{GIVEN_NAMES[hashed % len(GIVEN_NAMES)]} {FAMILY_NAMES[hashed // 97 % len(FAMILY_NAMES)]}"
        )
    return names
