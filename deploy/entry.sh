#!/bin/sh
# Proves the sandbox on this host before anything runs in it: 0 is level A, 1 is level B, more is no level at all.
set -eu
if [ "${1:-serve}" = serve ]; then
    level=0
    report=$(arena doctor 2>&1) || level=$?
    if [ "$level" -gt 1 ]; then
        printf '%s\n' "$report" >&2
        exit "$level"
    fi
fi
exec arena "$@"
