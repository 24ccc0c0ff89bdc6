"""Readers of market files, one module for each idea.

The rule of the package: content decides, and every guess about it is held against all cells; where two
readings fit, or none, the user is asked in one sentence. Nothing is dropped without being counted, and no
price is made up. Text comes in blocks, and what is made of it does not depend on where one block ends.

    sources                     bytes out of whatever they are packed in; the checksum beside them
    sniff, numbers, times       how a table is cut, and how its numbers and times are written
    columns, headerless, told   which columns mean what: by a header, by the cells, by the user
    settling                    clock, zone and bare dates of a table whose columns are known
    table, columnar             text tables, Parquet and Feather to rows, read by polars
    documents                   JSON to tables
    frames, recording           recorded websocket frames; recordings of our own
    duplicates                  which trades say once more what one before them said
    series                      rows to one series a symbol, in order of time
    bars                        the order of a candle, the length of a bar, and its close
    reader, resample            one file to a Tape, its kind and guesses judged; several tapes to one History
    naming, report, memory      symbols and periods out of names; what is told about a file; limits
"""
