"""The input of a partition's processor: the records of one fetch, as Kafka delivered them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Successive records of one partition. The lists are parallel and in offset order.

    offsets: ascending, with gaps where there are no records. timestamps: epoch milliseconds, as the broker
    stores them. read_at: time of the fetch, epoch seconds, where producers set the timestamps (CreateTime);
    None where the broker does (LogAppendTime).
    """

    topic: str
    partition: int
    offsets: list[int]
    keys: list[bytes | None] = field(repr=False)
    values: list[bytes | None] = field(repr=False)
    timestamps: list[int] = field(repr=False)
    read_at: int | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def first_offset(self) -> int:
        return self.offsets[0]

    @property
    def last_offset(self) -> int:
        return self.offsets[-1]
