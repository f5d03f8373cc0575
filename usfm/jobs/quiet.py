"""Loaded by the fork server alone: it ends without a traceback where the system gives it no process or no memory.

Whoever wanted the worker finds out, and says why in one sentence (`failure.cannot_start`).
"""

import sys

sys.excepthook = lambda *_: None
