"""A refusal: what was asked cannot be done, said in one line with the rule and the remedy."""


class Refused(Exception):
    """What was asked cannot be done; the message says why and what to do instead."""
