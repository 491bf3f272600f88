"""How long the tests that can run for ever run: briefly by default, long in `make soak`."""

import os
import secrets

STEPS = int(os.environ.get("MODEL_STEPS", "10000"))
"""How many commands the desk is given beside the reference model, over both databases together."""

SEED = int(os.environ.get("MODEL_SEED", secrets.randbelow(2**32)))
"""Where the choices of these commands begin: the seed of a run that failed repeats it."""

SHRINK = "MODEL_SHRINK" in os.environ
"""Whether to look for the shortest way to a failure, for up to five minutes. It is not needed to
repeat one, and what differs shows at once: all is compared after each handful of commands."""
