# %% [markdown]
"""A notebook as a plain script (cells begin with `# %%`): a simulated term through the engine, step by step.

Open it in VS Code or Jupyter (with jupytext) cell by cell, or run it: `python examples/embed.py`.
"""

# %% Events: here a small simulated term, a past run and a present one. Yours may come from anywhere.
from collections import Counter

from engine.api import Engine, Identity, Outputs
from sources.simulator import Run, SimulationPlan, stream

PAST = Run("course-a", "2024", starts_on=19_800, weeks=6, learners=40)
PRESENT = Run("course-a", "2025", starts_on=19_800 + 49, weeks=6, learners=40)
plan = SimulationPlan((PAST, PRESENT), seed=5)

# %% The engine: feed it batches of any size. It keeps its state between calls.
engine = Engine(Identity(b"a secret of yours"))
outputs = Outputs()
messages = [message.value for message in stream(plan)]
for start in range(0, len(messages), 2_000):
    outputs.extend(engine.feed(messages[start : start + 2_000]))

# %% Outputs: risk changes with reasons, and decisions on nudges with theirs.
moves = Counter(f"{change.previous_level} to {change.level}" for change in outputs.risk_changes)
print("risk changes:", ", ".join(f"{number} {move}" for move, number in sorted(moves.items())))
print("decisions:", dict(sorted(Counter(decision.reason for decision in outputs.decisions).items())))
print("rows of the store:", ", ".join(sorted(outputs.rows)))

# %% Counts by day, ready for a data frame: pandas.DataFrame(found.rows["risk_daily"])
daily = outputs.rows["risk_daily"]
for row in range(0, len(daily["day"]), 20):
    levels = ", ".join(f"{daily[level][row]} {level}" for level in ("low", "medium", "high"))
    print(daily["day"][row], daily["course_run"][row], levels)
