-- What a request that carried an idempotency key was answered, kept in the commit of what it wrote; old ones go.
CREATE TABLE receipt (
    user_name TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (user_name, key)
) STRICT;
CREATE INDEX receipt_recorded ON receipt (recorded_at);
