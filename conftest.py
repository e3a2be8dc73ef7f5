"""Settings of the whole test run: notebooks are tested on the demo study, with its confirmed picks only."""

import os

os.environ["LABKIT_STRICT"] = "1"
os.environ.pop("LABKIT_STUDY", None)
