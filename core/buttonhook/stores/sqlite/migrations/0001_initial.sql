-- Tracked objects: the document as JSON text, byte for byte. version = id of the object's last change.
CREATE TABLE object (
    object_type TEXT NOT NULL,
    pk TEXT NOT NULL,
    document TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (object_type, pk)
) STRICT;

-- Which object holds a unique value. value = canonical JSON of the values of the fields.
CREATE TABLE object_unique (
    object_type TEXT NOT NULL,
    fields TEXT NOT NULL,
    value TEXT NOT NULL,
    pk TEXT NOT NULL,
    PRIMARY KEY (object_type, fields, value)
) STRICT, WITHOUT ROWID;

-- Which object refers to which, by which field of its document; kept in step with the documents by every write.
CREATE TABLE object_reference (
    target_type TEXT NOT NULL,
    target_pk TEXT NOT NULL,
    object_type TEXT NOT NULL,
    pk TEXT NOT NULL,
    field TEXT NOT NULL,
    PRIMARY KEY (target_type, target_pk, object_type, pk, field)
) STRICT, WITHOUT ROWID;

-- The immutable history. Ids are given by the writer in commit order and never reused.
CREATE TABLE object_change (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    user_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    object_type TEXT NOT NULL,
    object_pk TEXT NOT NULL,
    object_repr TEXT NOT NULL,
    change_context TEXT NOT NULL,
    change_context_detail TEXT NOT NULL,
    prechange TEXT,
    postchange TEXT,
    cause TEXT,
    root TEXT,
    depth INTEGER NOT NULL,
    saves INTEGER NOT NULL,
    cuts TEXT NOT NULL,
    CHECK ((prechange IS NULL) = (action = 'create') AND (postchange IS NULL) = (action = 'delete'))
) STRICT;
CREATE INDEX object_change_object ON object_change (object_type, object_pk, id);
CREATE INDEX object_change_request ON object_change (request_id, id);
CREATE INDEX object_change_type ON object_change (object_type, id);
CREATE INDEX object_change_user ON object_change (user_name, id);

-- Request ids that must not be recorded twice (imports).
CREATE TABLE request (
    request_id TEXT PRIMARY KEY,
    recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One run of a job. ended_at is set exactly when the status is final. change_id = the first of change_ids, for its index.
CREATE TABLE job_result (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    job TEXT NOT NULL,
    job_name TEXT NOT NULL,
    occasion TEXT NOT NULL,
    occasion_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'started', 'retry', 'success', 'failure', 'revoked')),
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    user_name TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_pk TEXT NOT NULL,
    object_repr TEXT NOT NULL,
    change_ids TEXT NOT NULL,
    change_id INTEGER,
    lane TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    due_at INTEGER,
    result TEXT,
    error TEXT,
    traceback TEXT,
    cause TEXT,
    root TEXT,
    depth INTEGER NOT NULL,
    is_hooks INTEGER NOT NULL,
    chain TEXT NOT NULL,
    run_as TEXT NOT NULL,
    rerun_of TEXT,
    rerun_by TEXT,
    CHECK ((ended_at IS NULL) = (status IN ('pending', 'started', 'retry')))
) STRICT;
CREATE INDEX job_result_open ON job_result (ended_at) WHERE ended_at IS NULL;
CREATE INDEX job_result_open_lane ON job_result (lane) WHERE ended_at IS NULL AND lane IS NOT NULL;
CREATE INDEX job_result_status ON job_result (status, number) WHERE ended_at IS NOT NULL;
CREATE INDEX job_result_job ON job_result (job, number);
CREATE INDEX job_result_object ON job_result (object_type, object_pk, number);
CREATE INDEX job_result_type ON job_result (object_type, number);
CREATE INDEX job_result_user ON job_result (user_name, number);
CREATE INDEX job_result_change ON job_result (change_id) WHERE change_id IS NOT NULL;

-- One captured line. Ids are given by the writer in commit order and never reused.
CREATE TABLE job_log_entry (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES job_result (number) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    level INTEGER NOT NULL,
    grouping TEXT NOT NULL,
    message TEXT NOT NULL,
    logger TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_pk TEXT NOT NULL,
    object_repr TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_log_entry_result ON job_log_entry (number, attempt, seq);

-- The set-up: jobs, job hooks, job buttons, declared types, users. Few rows, read whole at start.
CREATE TABLE config (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, id),
    UNIQUE (kind, name)
) STRICT, WITHOUT ROWID;
