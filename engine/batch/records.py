"""What a partition's processor is fed: the records of one fetch, as Kafka delivered them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Successive records of one partition. The lists run in parallel and are in offset order.

    timestamps: epoch milliseconds, as the broker keeps them. Offsets rise but may have gaps. read_at: epoch
    seconds at which they were fetched, where timestamps are what producers set; None where they are the
    broker's own.
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
