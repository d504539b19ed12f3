"""Looking for objects that hold each other is put off: in a busy process it takes a quarter of the time."""

import gc

_THRESHOLDS = (10_000, 20, 50)


def settle() -> None:
    """What is there now stays for good and is not looked through again; the rest is less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
