"""What cannot be done now."""


class Refused(Exception):
    """Something asked for that cannot be done now, and what to do about it, in one line."""
