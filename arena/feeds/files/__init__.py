"""Readers of market files, one module per family of formats.

The rule of the package: content decides, names only help with what content cannot say (a symbol, a
day). Nothing is dropped without being counted, and no price is made up.

    opening  bytes out of plain, gzip and zip files      naming   symbols and periods out of names
    sniff    what a text table looks like                layouts  which columns mean what
    table    tables to rows                              frames   recorded websocket frames
    bodies   JSON answers and lists                      order    rows to series, in order
    sampling several tapes to one History
"""
