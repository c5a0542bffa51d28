"""Pictures and tables of results: the only place that draws."""

import os

# A notebook names the backend of its own pictures, which needn't be installed here. Those of this package
# take none, and matplotlib reads the names as it is imported.
for _name in ("MPLBACKEND", "MATPLOTLIBRC"):
    os.environ.pop(_name, None)
