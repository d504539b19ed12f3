"""Where connectors of tests write to."""

from quadrat.serving.targets.guard import Guard
from quadrat.serving.targets.places import Places
from quadrat.serving.targets.proxy import GuardedProxy


def open_places(*, deny_private: bool = False) -> Places:
    """Places whose proxy has to be started."""
    guard = Guard(deny_private=deny_private)
    return Places(guard, GuardedProxy(guard))
