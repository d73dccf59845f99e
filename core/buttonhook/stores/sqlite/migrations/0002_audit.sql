-- What no change tells of: logins, attempts that were denied. Bounded: the oldest go when new ones come.
CREATE TABLE audit_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    user_name TEXT NOT NULL,
    address TEXT NOT NULL,
    what TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
