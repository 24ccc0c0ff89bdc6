"""Arena: say a trading strategy in plain words and see how it does against everyone else's."""

__version__ = "0.2.0"
