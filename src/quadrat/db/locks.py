"""Numbers of PostgreSQL advisory locks, in one list so that no two uses meet."""

from enum import IntEnum


class AdvisoryLock(IntEnum):
    """What an advisory lock protects (the first of its two keys is the same for all of Quadrat)."""

    MIGRATIONS = 1
    FIRST_ADMINISTRATOR = 2
    SCHEDULER = 3


NAMESPACE = 0x51554144  # "QUAD"
