"""How long the tests that can run for ever run: briefly by default, long in `make soak`."""

import os
import secrets

STEPS = int(os.environ.get("MODEL_STEPS", "20000"))
"""How many orders the desk is given beside the reference model, over both databases together."""

SEED = int(os.environ.get("MODEL_SEED", secrets.randbelow(2**32)))
"""Where the choices of these orders begin: the seed of a run that failed repeats it."""
