"""Readers of market files, one module per family of formats.

The rule of the package: content decides, names only help with what content cannot say (a symbol, a
day). Nothing is dropped without being counted, and no price is made up. Text comes in blocks, and what
is made of it does not depend on where one block ends.

    opening, wrapping, zipped   bytes out of whatever they are packed in; checksum beside them
    formats                     what kind of file it is
    sniff, layouts, bare, lean  what a table looks like, and which of its columns mean what
    columns                     columns told by the user; naming: symbols and periods out of names
    blocks, regular, table      tables to rows: fast where all lines are alike, else by polars
    bits, cutting               where the cells of lines that are alike begin and end
    words, aligned, clock       numbers and ISO times out of raw text; times, dates: all other times
    prints, repeats, ids        which trades say once more what one before them said
    columnar, bodies            Parquet, Feather, JSON
    frames, messages            recorded websocket frames; arena_file: recordings of our own
    flow, survey, order, line   rows to one line a symbol, in order; bars: to their close
    reader, sampling            one file to a Tape; several tapes to one History
"""
