# %% [markdown]
"""A notebook as a plain script (cells begin with `# %%`): a simulated term through the engine, looked at.

Open it in VS Code or Jupyter (with jupytext) cell by cell, or run it: `python examples/embed.py`.
"""

# %% Events: here a small simulated term, one run that is over and one that is on. Yours come from anywhere.
from collections import Counter

from engine.api import Engine, Identity, Outputs
from sources.simulator import Run, SimulationPlan, stream

PAST = Run("course-a", "2024", starts_on=19_800, weeks=6, learners=40)
NOW = Run("course-a", "2025", starts_on=19_800 + 49, weeks=6, learners=40)
plan = SimulationPlan((PAST, NOW), seed=5)

# %% The engine: feed it what there is, as often as you like. It keeps its state between calls.
engine = Engine(Identity(b"a secret of yours"))
found = Outputs()
messages = [message.value for message in stream(plan)]
for start in range(0, len(messages), 2_000):
    found.extend(engine.feed(messages[start : start + 2_000]))

# %% What was said: risk changes with reasons, and decisions on nudges with theirs.
moves = Counter(f"{change.previous_level} to {change.level}" for change in found.risk_changes)
print("risk changes:", ", ".join(f"{number} {move}" for move, number in sorted(moves.items())))
print("decisions:", dict(sorted(Counter(one.reason for one in found.decisions).items())))
print("rows of the store:", ", ".join(sorted(found.rows)))

# %% Counts by day, ready for a data frame: pandas.DataFrame(found.rows["risk_daily"])
daily = found.rows["risk_daily"]
for place in range(0, len(daily["day"]), 20):
    levels = ", ".join(f"{daily[level][place]} {level}" for level in ("low", "medium", "high"))
    print(daily["day"][place], daily["course_run"][place], levels)
