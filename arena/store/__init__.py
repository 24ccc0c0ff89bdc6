"""The database: tables, reads, tick writes, recovery, migrations."""
