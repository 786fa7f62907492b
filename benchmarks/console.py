"""Sends requests to a running console from several clients, and prints latencies.

    make demo ARGS=--serve                                # in one terminal: prints an address and a key
    python -m benchmarks.console --url URL --key KEY      # in another

Each operation is requested by several threads at once, each with its own connection; milliseconds are what
the client waits, including a new connection. The key's rate limit applies: 20 requests a second in the long
run, so keep the count below the burst or wait between runs.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np

Request = Callable[[httpx.Client], httpx.Response]


def operations(client: httpx.Client) -> dict[str, Request]:
    """Name → request, for an existing learner and course run."""
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


def latencies(make_client: Callable[[], httpx.Client], request: Request, count: int) -> list[float]:
    """Latencies in milliseconds of ``count`` requests over one connection."""
    milliseconds = []
    with make_client() as client:
        for _ in range(count):
            started = time.perf_counter()
            response = request(client)
            while response.status_code == 429:
                time.sleep(float(response.headers["retry-after"]))
                started = time.perf_counter()
                response = request(client)
            response.raise_for_status()
            milliseconds.append(1000 * (time.perf_counter() - started))
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a console's answers take.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--people", type=int, default=4, help="who ask at once")
    parser.add_argument("--count", type=int, default=100, help="requests of each")
    options = parser.parse_args()

    def make_client() -> httpx.Client:
        headers = {"Authorization": f"Bearer {options.key}"}
        return httpx.Client(base_url=f"{options.url}/api/v1", headers=headers, timeout=30)

    with make_client() as client:
        requests = operations(client)
    print(f"{options.people} at once, {options.count} requests each: milliseconds")
    print(f"{'operation':32} {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7}")
    for name, request in requests.items():
        with ThreadPoolExecutor(options.people) as pool:
            parts = [
                pool.submit(latencies, make_client, request, options.count) for _ in range(options.people)
            ]
            values = np.array([value for part in parts for value in part.result()])
        figures = [*np.percentile(values, [50, 95, 99]), values.max()]
        print(f"{name:32} " + " ".join(f"{figure:7.1f}" for figure in figures))


if __name__ == "__main__":
    main()
