"""Values of any size in records: whole or not there, in whatever order, twice, or compacted they come."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pieces import (
    PIECE_BYTES,
    RECORD_BYTES,
    IncompleteError,
    LargeRows,
    PieceAssembler,
    compress,
    cut,
    decompress,
    piece_of,
    records_of,
)
from engine.state.row_keys import MARK
from streams.checkpoints import Recovered, Replay

MOST = 4
Rows = dict[bytes, bytes]
Record = tuple[bytes, int, bytes | None]

keys = st.sampled_from([b"i|0", b"s|counters", b"l|ann", b"policy"])
values = st.one_of(st.none(), st.binary(max_size=30))
checkpoints = st.lists(st.lists(st.tuples(keys, values), max_size=4), max_size=5)


def large_rows() -> LargeRows:
    return LargeRows(MOST)


def put(rows: Rows, key: bytes, value: bytes | None) -> None:
    if value is None:
        rows.pop(key, None)
    else:
        rows[key] = value


# -- rows of the state topic ------------------------------------------------------------------------------


@given(checkpoints, st.integers(0, 5))
@settings(max_examples=200)
def test_rows_come_back_and_leave_no_piece_behind(
    written: list[list[tuple[bytes, bytes | None]]], restart: int
) -> None:
    large, stored, expected = large_rows(), Rows(), Rows()
    for number, changes in enumerate(written):
        if number == restart:
            large = large_rows()
            large.join(stored)
        for key, value in large.cut(changes):
            assert value is None or len(value) <= MOST + 32
            put(stored, key, value)
        for key, value in changes:
            put(expected, key, value)
    assert large_rows().join(stored) == expected
    for key, _ in large.cut([(key, None) for key in expected]):
        del stored[key]
    assert stored == {}, "deleting the rows deletes their pieces"


@given(checkpoints, st.lists(st.tuples(keys, values), max_size=4), st.integers(0, 40), st.booleans())
@settings(max_examples=200)
def test_a_checkpoint_that_a_crash_cut_off_leaves_the_one_before_it_whole(
    written: list[list[tuple[bytes, bytes | None]]],
    last: list[tuple[bytes, bytes | None]],
    until: int,
    compacted: bool,
) -> None:
    """Its owner's zombie goes on writing; the next owner repairs, and the broker may compact it all."""
    large, log, expected = large_rows(), list[Record](), Rows()
    for changes in written:
        log += [(key, 1, value) for key, value in large.cut(changes)]
        log.append((MARK, 1, b"mark"))
        for key, value in changes:
            put(expected, key, value)
    cut_off: list[Record] = [(key, 1, value) for key, value in large.cut(last)]
    log += cut_off[:until]
    log += [(key, 2, value) for key, value in _recovered(log).repairs()]
    log += [(b"assign|2", 2, b""), *cut_off[until:]]
    log += [(key, 3, value) for key, value in _recovered([*log, (b"assign|3", 3, b"")]).repairs()]
    if compacted:
        newest = {key: offset for offset, (key, _, _) in enumerate(log)}
        log = [record for offset, record in enumerate(log) if newest[record[0]] == offset]
    rows = dict(_recovered(log).rows)
    assert (rows.pop(MARK, None) is None) == (not written)
    assert large_rows().join(rows) == (expected if written else {})


def _recovered(log: list[Record]) -> Recovered:
    replay = Replay()
    for record in log:
        replay.take(*record)
    return replay.recovered()


def test_a_row_whose_pieces_are_lost_is_told_and_named() -> None:
    stored = Rows()
    for key, value in large_rows().cut([(b"s|counters", b"0123456789")]):
        put(stored, key, value)
    del stored[b"p|1|s|counters"]
    with pytest.raises(IncompleteError, match=r"'s\|counters' is in 3 pieces, and piece 2 is not there"):
        large_rows().join(stored)
    put(stored, b"p|1|s|counters", cut(b"another value", MOST)[1])
    with pytest.raises(IncompleteError, match="piece 2 is not there"):
        large_rows().join(stored)


def test_what_fits_stays_as_it_is() -> None:
    rows: list[tuple[bytes, bytes | None]] = [(b"l|ann", b"x" * PIECE_BYTES), (b"l|bob", None)]
    assert list(LargeRows().cut(rows)) == rows
    assert all(len(value or b"") <= RECORD_BYTES for _, value in LargeRows().cut([(b"i", b"x" * 10**6)]))


# -- messages ---------------------------------------------------------------------------------------------


def test_a_small_message_is_the_json_that_it_was() -> None:
    assert records_of(compress(b'{"day":1}'), "1", "0/1") == [("1", b'{"day":1}')]
    assert decompress(b'{"day":1}') == b'{"day":1}'
    with pytest.raises(IncompleteError, match="neither JSON nor"):
        decompress(b"nonsense")


def test_a_large_message_is_compressed_and_in_pieces() -> None:
    message = b'{"x":"' + bytes(range(32, 127)) * 40_000 + b'"}'
    assert len(compress(message)) < len(message) // 10
    message = b'{"x":"' + b"".join(b"%d," % (number**5) for number in range(200_000)) + b'"}'
    records = records_of(compress(message), "20000", "0/20000")
    assert len(records) > 2
    assert all(key.startswith("0/20000/") and len(record) <= RECORD_BYTES for key, record in records)
    assert len({key for key, _ in records}) == len(records)
    gathering = PieceAssembler()
    pieces = [piece_of(record) for _, record in reversed(records)]
    complete = [gathering.add(piece, 20_000, offset) for offset, piece in enumerate(pieces) if piece]
    assert [record is not None for record in complete] == [False] * (len(records) - 1) + [True]
    assert complete[-1] is not None
    assert decompress(complete[-1].payload) == message


forms = st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=3, unique=True)


@given(forms, st.data())
@settings(max_examples=200)
def test_the_form_whose_last_piece_came_last_holds_compacted_or_not(
    contents: list[bytes], data: st.DataObject
) -> None:
    """Several forms of one message, sent one after the other, again, and cut off."""
    pieces = [[(form, record) for record in cut(form, MOST)] for form in contents]
    sendings = st.sampled_from(pieces).flatmap(
        lambda form: st.integers(1, len(form)).map(lambda until: form[:until])
    )
    log = [record for sent in data.draw(st.lists(sendings, max_size=8), "sent") for record in sent]
    newest = {record: offset for offset, record in enumerate(log)}
    short = [(offset, record) for offset, record in enumerate(log) if newest[record] == offset]
    assert _held(list(enumerate(log))) == _held(short) == _by_rule(log, contents)


def _held(log: list[tuple[int, tuple[bytes, bytes]]]) -> bytes | None:
    """What a reader keeps that replaces what it has by what came behind it."""
    gathering, payload, newest = PieceAssembler(), None, -1
    for offset, (_, record) in log:
        piece = piece_of(record)
        assert piece is not None
        whole = gathering.add(piece, 1, offset)
        if whole is not None and whole.offset >= newest:
            payload, newest = whole.payload, whole.offset
    return payload


def _by_rule(log: list[tuple[bytes, bytes]], contents: list[bytes]) -> bytes | None:
    whole = {form: [(form, record) for record in cut(form, MOST)] for form in contents}
    last = {
        form: max(offset for offset, record in enumerate(log) if record == parts[-1])
        for form, parts in whole.items()
        if all(part in log for part in parts)
    }
    return max(last, key=last.__getitem__) if last else None


@given(forms, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_pieces_in_any_order_and_twice_make_every_message(contents: list[bytes], draw: Random) -> None:
    records = [record for content in contents for record in cut(content, MOST)]
    records += draw.choices(records, k=3)
    draw.shuffle(records)
    gathering, complete = PieceAssembler(), set()
    for offset, record in enumerate(records):
        piece = piece_of(record)
        assert piece is not None
        whole = gathering.add(piece, 1, offset)
        complete |= set() if whole is None else {whole.payload}
    assert complete == set(contents)


def test_what_never_becomes_whole_is_forgotten() -> None:
    gathering = PieceAssembler()
    for day in (1, 2, 3):
        piece = piece_of(cut(b"message of day %d" % day, MOST)[0])
        assert piece is not None
        assert gathering.add(piece, day, day) is None
    gathering.forget(3)
    assert len(gathering) == 1
