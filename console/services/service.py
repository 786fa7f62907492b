"""All subjects of the console, over one set of parts."""

from console.parts import Parts
from console.recent import RecentFeedback
from console.services.courses import Courses
from console.services.feedback import Feedback
from console.services.learners import Learners
from console.services.nudges import Nudges
from console.services.people import People
from console.services.scope import Scope


class Service:
    """What the routes of the API and the pages call. Thread-safe; answers for one key at a time."""

    def __init__(self, parts: Parts) -> None:
        recent = RecentFeedback()
        self.parts = parts
        self.scope = Scope(parts)
        self.people = People(parts, self.scope, recent)
        self.courses = Courses(parts, self.scope)
        self.learners = Learners(parts, self.scope, self.people, recent)
        self.nudges = Nudges(parts, self.scope, self.people, recent)
        self.feedback = Feedback(parts, self.scope, self.people, self.learners, self.nudges, recent)
