"""gifthorse: look a gift horse in the mouth.

Importing this package imports no torch: the public names load on first use.
"""

__version__ = "0.1.0"
