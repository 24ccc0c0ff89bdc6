"""Recordings of live feeds: every payload as received, with its receive time.

layout   the format of an `.arena` file
writer   Recording: takes frames from the feeds' thread, writes them in its own
reader   blocks and frames of a file; damaged blocks are skipped and reported
replay   frames to prices, with the venues' own parsers, as a live market would show them
"""
