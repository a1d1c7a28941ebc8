"""`chatforge doctor`: looks at everything a command needs, in a fixed order, and changes nothing.

Its own requests are counted in the budget file.
"""

from connector.cli.doctor.command import doctor

__all__ = ["doctor"]
