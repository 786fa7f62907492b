"""What the worker's metrics say, where saying it takes thought: the age of the committed offset."""

from streams.metrics import CommittedAge, Metrics


class Partition:
    """Offsets and a clock to move by hand."""

    def __init__(self) -> None:
        self.committed: int | None = None
        self.read: int | None = None
        self.now = 100.0
        self.age = CommittedAge(lambda: (self.committed, self.read), lambda: self.now)

    def after(self, seconds: float) -> float:
        self.now += seconds
        return self.age.seconds()


def test_nothing_read_and_everything_committed_have_no_age() -> None:
    one = Partition()
    assert one.after(500) == 0
    one.committed = one.read = 7
    assert one.after(500) == 0
    assert one.after(500) == 0, "an idle partition does not grow old"


def test_an_offset_that_stands_while_records_wait_grows_old() -> None:
    one = Partition()
    one.committed, one.read = 7, 9
    assert one.after(1) == 0
    assert one.after(30) == 30
    one.read = 12
    assert one.after(30) == 60, "reading on does not make it younger"
    one.committed = 9
    assert one.after(5) == 0, "a commit does"
    assert one.after(5) == 5
    one.committed = 12
    assert one.after(5) == 0


def test_what_was_never_committed_grows_old_too() -> None:
    one = Partition()
    one.read = 3
    assert [one.after(1), one.after(10)] == [0, 10]


def test_the_gauge_asks_at_every_scrape_and_ends_with_the_partition() -> None:
    metrics, read = Metrics(), [5]
    metrics.follow_commits(3, lambda: (5, read[0]))
    name, labels = "homeroom_committed_offset_age_seconds", {"partition": "3"}
    assert metrics.registry.get_sample_value(name, labels) == 0
    read[0] = 6
    assert metrics.registry.get_sample_value(name, labels) == 0
    waits = metrics.registry.get_sample_value(name, labels)
    assert waits is not None
    assert waits > 0
    metrics.forget_commits()
    assert metrics.registry.get_sample_value(name, labels) is None
