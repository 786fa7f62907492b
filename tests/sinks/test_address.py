import pytest

from sinks.address import StoreAddress


def test_a_full_url() -> None:
    address = StoreAddress.parse("clickhouse://ann:p%40ss@db.example:9001/school")
    assert address == StoreAddress("db.example", 9001, "ann", "p@ss", "school", False)


def test_what_a_url_leaves_out() -> None:
    assert StoreAddress.parse("clickhouse://db") == StoreAddress("db", 9000, "default", "", "homeroom", False)
    assert StoreAddress.parse("clickhouses://db").port == 9440


@pytest.mark.parametrize("secure", [True, False])
def test_a_url_says_everything(secure: bool) -> None:
    address = StoreAddress("db.example", 9001, "a@nn", "p@s:/s", "school", secure)
    assert StoreAddress.parse(address.url()) == address


def test_the_password_is_never_shown() -> None:
    address = StoreAddress.parse("clickhouse://ann:s3cret@db/school")
    assert "s3cret" not in repr(address) + str(address)


@pytest.mark.parametrize(
    "url", ["http://u:s3cret@db/x", "clickhouse://", "clickhouse://u:s3cret@db:no/x", ""]
)
def test_another_form_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="store address") as caught:
        StoreAddress.parse(url)
    assert "s3cret" not in str(caught.value)
