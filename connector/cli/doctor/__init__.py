"""`chatforge doctor`: looks at everything a command needs, in a fixed order, and changes nothing."""

from connector.cli.doctor.command import doctor

__all__ = ["doctor"]
