"""The SQLite store: one file, one write connection, a few read-only ones.

`store` is the contract's implementation; `opening` decides whether a file may be trusted, `lock` who owns it,
`statements` holds the SQL of every write, `reading` has the connections that read, `select` and `listing` make the SQL
of questions, `rows` turns rows into records, `checking` looks the whole file over.
"""
