"""Python's garbage collector beside a stream of frames.

Now and then it walks through every object there is. Those of torch and rclpy are 200 000, which
takes 0.1 s; no thread of Python runs meanwhile, and the frame that waits is overwritten.
"""

from __future__ import annotations

import gc


def leave_out_of_collection() -> None:
    """Have later collections pass over all that is there now; when a model has been loaded."""
    gc.collect()
    gc.freeze()


def collect_everything() -> None:
    """Collect what nothing refers to any more, what was left out included."""
    gc.unfreeze()
    gc.collect()
