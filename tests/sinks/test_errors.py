"""Every code that ClickHouse knows has a class, and what becomes of an error follows from it."""

import pytest
from clickhouse_driver import errors as driver
from clickhouse_driver.errors import ErrorCodes, ServerException

from sinks.address import StoreAddress
from sinks.errors import StoreDown, StoreRejected, error_class_of, error_classes
from sinks.store import StoreReader, store_error

BY_THE_DRIVER = {
    name: code for name, code in vars(ErrorCodes).items() if isinstance(code, int) and name.isupper() and code
}
NEWER = {
    "QUOTA_EXCEEDED": 201,
    "TOO_FEW_LIVE_REPLICAS": 285,
    "VIOLATED_CONSTRAINT": 469,
    "ACCESS_DENIED": 497,
}
"""What the driver has no name for, or an older one."""

NOT_NOW = [
    "TIMEOUT_EXCEEDED",
    "TOO_MANY_SIMULTANEOUS_QUERIES",
    "MEMORY_LIMIT_EXCEEDED",
    "CANNOT_ALLOCATE_MEMORY",
    "TABLE_IS_READ_ONLY",
    "NO_ZOOKEEPER",
    "KEEPER_EXCEPTION",
    "TOO_MANY_PARTS",
    "TOO_FEW_LIVE_REPLICAS",
    "NOT_ENOUGH_SPACE",
    "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    "QUOTA_EXCEEDED",
    "ABORTED",
    "QUERY_WAS_CANCELLED",
    "SOCKET_TIMEOUT",
    "NETWORK_ERROR",
    "ALL_CONNECTION_TRIES_FAILED",
    "UNKNOWN_STATUS_OF_INSERT",
    "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    "STD_EXCEPTION",
]
TO_BE_MENDED = [
    "UNKNOWN_TABLE",
    "UNKNOWN_DATABASE",
    "ACCESS_DENIED",
    "WRONG_PASSWORD",
    "READONLY",
    "UNKNOWN_SETTING",
]
WRONG = ["SYNTAX_ERROR", "TYPE_MISMATCH", "VIOLATED_CONSTRAINT", "CANNOT_PARSE_DATE", "INCORRECT_DATA"]


def test_every_code_of_the_engine_has_a_class(reader: StoreReader) -> None:
    known = "SELECT number FROM numbers(1, 9999) WHERE errorCodeToName(number) != ''"
    codes = {code for (code,) in reader.query(known).rows}
    assert len(codes) > 600
    assert codes - error_classes().keys() == set(), (
        "a newer engine: read what they mean and add them to codes.txt"
    )


def test_every_code_of_the_driver_has_a_class() -> None:
    assert set(BY_THE_DRIVER.values()) - error_classes().keys() == set()


@pytest.mark.parametrize("name", NOT_NOW)
def test_not_now_is_waited_for(name: str) -> None:
    with pytest.raises(StoreDown):
        raise store_error(server_error(name), StoreAddress(), "t")


@pytest.mark.parametrize("name", TO_BE_MENDED + WRONG)
def test_no_is_told_with_whether_somebody_can_mend_it(name: str) -> None:
    error = store_error(server_error(name), StoreAddress(), "t")
    assert isinstance(error, StoreRejected)
    assert error.repairable == (name in TO_BE_MENDED)


def server_error(name: str) -> Exception:
    error: Exception = ServerException(f"DB::Exception: {name}", (BY_THE_DRIVER | NEWER)[name])
    return error


def test_a_code_that_nobody_knows_is_waited_for() -> None:
    assert error_class_of(99_999) == "transient"
    assert isinstance(store_error(ServerException("new", 99_999), StoreAddress()), StoreDown)


def test_a_refusal_of_the_client_itself_is_nobodys_to_mend() -> None:
    error = store_error(driver.TypeMismatchError("Column a: x"), StoreAddress(), "t")
    assert isinstance(error, StoreRejected)
    assert not error.repairable
