"""Tables of the *Pipeline* board about records: which failed, and what was in them that is not counted."""

from grafana.panels import MOMENT_PX, Panel, rows, sized

NAME_PX = 480
"""A name of an event may be an address, which cannot be wrapped."""


def source_events() -> Panel:
    events = rows(
        "Events of the sources by name",
        "What became of the events on platforms' topics: unknown names count as activity of the kind other "
        "until the vocabulary has them; what is ignored, repeated, outside any course or anonymous counts as "
        "nothing.",
        """SELECT topic, name, fate, sum(events) AS events, max(day) AS last_day
        FROM source_events FINAL
        WHERE $__timeFilter(ingested_at)
        GROUP BY topic, name, fate
        ORDER BY fate = 'unknown' DESC, events DESC, topic, name
        LIMIT 100""",
    )
    return sized(sized(events, NAME_PX, "name"), 110, "fate", "events")


def dead_letters() -> Panel:
    letters = rows(
        "Newest dead letters",
        "What was found and what was expected. Topic, partition and offset lead to the record itself.",
        """SELECT DISTINCT received_at, reason, field, detail, topic, `partition`, `offset`
        FROM dead_letters
        WHERE $__timeFilter(received_at)
        ORDER BY received_at DESC, topic, `partition`, `offset`
        LIMIT 50""",
    )
    return sized(sized(letters, MOMENT_PX, "received_at"), 90, "partition", "offset")


def other_roles() -> Panel:
    return rows(
        "Who is no learner",
        "Staff, observers, bots and the like, and events that a machine made, on days closed in the time "
        "range. They are neither scored nor counted as learners anywhere else.",
        """SELECT course_run, role, max(members) AS most_enrolments, sum(made) AS events, max(day) AS last_day
        FROM
        (
            SELECT day, course_run, role, sum(enrolments) AS members, sum(events) AS made
            FROM other_roles_daily FINAL
            WHERE $__timeFilter(ingested_at)
            GROUP BY day, course_run, role
        )
        GROUP BY course_run, role
        ORDER BY events DESC, course_run, role
        LIMIT 50""",
    )


def log_breaks() -> Panel:
    breaks = rows(
        "Breaks of topics' logs",
        "Where a log did not join what was applied of it: records deleted unread, a topic made anew, "
        "state that is gone. Offsets are those that are missing, both included.",
        """SELECT at, cause, records, topic, `partition`, first_offset, last_offset, detail
        FROM log_breaks FINAL
        WHERE $__timeFilter(at)
        ORDER BY at DESC, topic, `partition`
        LIMIT 50""",
    )
    return sized(sized(breaks, MOMENT_PX, "at"), 90, "partition")
