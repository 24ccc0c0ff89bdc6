"""Recordings of live feeds: every payload as it came, with the time it was received.

layout   the bytes of an `.arena` file
writer   Recording: takes frames from the feeds' thread, writes them from its own
reader   blocks and frames of a file, damage named and passed over
playing  frames to prices, through the venues' own parsers, as a live market would show them
"""
