"""Where CI says that a part must be there, its absence is a failure and not a skip."""

import pytest

from tests.required import lacking


def test_what_is_required_fails_and_what_is_not_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEROOM_REQUIRE", "kafka,oulad")
    with pytest.raises(pytest.fail.Exception, match="oulad is required here: no data"):
        lacking("oulad", "no data")
    with pytest.raises(pytest.skip.Exception, match="no engine"):
        lacking("store", "no engine")
