"""Statistics of returns: ratios, anytime-valid comparison, Sharpe inference, selection among many.

Pure functions over numpy arrays; nothing here knows of bots, seasons or clocks. A return is a simple return of
one period, 0.01 for one per cent; a Sharpe ratio is per period unless a name says `annual`.
"""
