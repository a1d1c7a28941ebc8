"""What answers of ChatForge tell about what its reference leaves open: order, limits, fields, errors. Pure.

Facts can be handed on. They hold names of fields, counts, statuses and short digests of ids, never a value that a
visitor, an author or the owner of the account wrote.
"""
