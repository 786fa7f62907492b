"""A Faust app without tables, which keeps nothing on disk: state lies in the state topic."""

import faust


class TablelessApp(faust.App):
    """Starts in any working folder, also in one that cannot be written to."""

    def _create_directories(self) -> None:
        """Nothing: Faust's folders, by default in the working folder, are for tables alone."""
