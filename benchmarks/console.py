"""Asks a running console as several people would, and prints how long answers take.

    make demo ARGS=--serve                                # in one terminal: prints an address and a key
    python -m benchmarks.console --url URL --key KEY      # in another

Each operation is asked by some threads at once, each with a connection of its own; milliseconds are what
the client waits, connection included where it is made anew. A key's rate limit holds here too: 20 requests
a second in the long run, so keep the count below the burst or wait between runs.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np

Ask = Callable[[httpx.Client], httpx.Response]


def operations(client: httpx.Client) -> dict[str, Ask]:
    """The operations, on a learner and a course run that there are."""
    risk = client.get("/risks", params={"limit": 1}).json()["items"][0]
    run, learner = risk["course_run"], risk["learner"]
    question = {"course_run": run, "features": {"silence": 9, "missed_last": 1}}
    return {
        "POST /what-if": lambda client: client.post("/what-if", json=question),
        "GET /risks": lambda client: client.get("/risks"),
        "GET /learners/{learner}": lambda client: client.get(f"/learners/{learner}"),
        "GET /learners/{learner}/story": lambda client: client.get(
            f"/learners/{learner}/story", params={"course_run": run}
        ),
        "GET /courses/story": lambda client: client.get("/courses/story", params={"course_run": run}),
    }


def took(make: Callable[[], httpx.Client], ask: Ask, count: int) -> list[float]:
    """Milliseconds of each of ``count`` answers, over one connection."""
    found = []
    with make() as client:
        for _ in range(count):
            started = time.perf_counter()
            answer = ask(client)
            while answer.status_code == 429:
                time.sleep(float(answer.headers["retry-after"]))
                started = time.perf_counter()
                answer = ask(client)
            answer.raise_for_status()
            found.append(1000 * (time.perf_counter() - started))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a console's answers take.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--people", type=int, default=4, help="who ask at once")
    parser.add_argument("--count", type=int, default=100, help="requests of each")
    chosen = parser.parse_args()

    def make() -> httpx.Client:
        headers = {"Authorization": f"Bearer {chosen.key}"}
        return httpx.Client(base_url=f"{chosen.url}/api/v1", headers=headers, timeout=30)

    with make() as client:
        asked = operations(client)
    print(f"{chosen.people} at once, {chosen.count} requests each: milliseconds")
    print(f"{'operation':32} {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7}")
    for name, ask in asked.items():
        with ThreadPoolExecutor(chosen.people) as pool:
            parts = [pool.submit(took, make, ask, chosen.count) for _ in range(chosen.people)]
            values = np.array([value for part in parts for value in part.result()])
        figures = [*np.percentile(values, [50, 95, 99]), values.max()]
        print(f"{name:32} " + " ".join(f"{figure:7.1f}" for figure in figures))


if __name__ == "__main__":
    main()
