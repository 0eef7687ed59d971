-- Times are milliseconds since 1970, structures are JSON as text, sealed values are bytes that nothing here can read.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE flows (
    state_digest     TEXT NOT NULL PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    tenant           TEXT NOT NULL,
    platform         TEXT NOT NULL,
    app              TEXT NOT NULL,
    reference        TEXT,
    reconnects       TEXT,
    initiator_digest TEXT NOT NULL,
    sealed           BLOB NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX flows_by_expiry ON flows (expires_at);

CREATE TABLE grants (
    id                 TEXT NOT NULL PRIMARY KEY,
    tenant             TEXT NOT NULL,
    platform           TEXT NOT NULL,
    app                TEXT NOT NULL,
    client_id          TEXT NOT NULL,
    base_urls          TEXT NOT NULL,
    subject            TEXT,
    scopes             TEXT NOT NULL,
    access             BLOB,
    access_expires_at  INTEGER,
    refresh            BLOB,
    refresh_expires_at INTEGER,
    generation         INTEGER NOT NULL,
    refresh_attempt    TEXT,
    refresh_sent_at    INTEGER,
    refresh_unanswered     INTEGER,
    -- Which states there are is for the program to say: a list here could not grow without a new table.
    state              TEXT NOT NULL,
    reason             TEXT,
    state_since        INTEGER NOT NULL,
    unlinked           TEXT,
    last_error         TEXT,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    CHECK (state <> 'reauth_required' OR reason IS NOT NULL),
    CHECK ((refresh_attempt IS NULL) = (refresh_sent_at IS NULL) AND (refresh_attempt IS NULL) = (refresh_unanswered IS NULL)),
    -- A grant that is over holds no token.
    CHECK (state NOT IN ('disconnecting', 'disconnected') OR (access IS NULL AND refresh IS NULL))
) STRICT;

CREATE INDEX grants_by_subject ON grants (platform, subject);
CREATE INDEX grants_by_access ON grants (platform, client_id, subject);
CREATE INDEX grants_unlinked ON grants (tenant, created_at) WHERE unlinked IS NOT NULL;

CREATE TRIGGER grants_generation_grows BEFORE UPDATE OF generation ON grants
WHEN new.generation < old.generation
BEGIN
    SELECT RAISE(ABORT, 'the generation of a grant never goes down');
END;

CREATE TABLE connections (
    -- The samples of ten years refer to this short name.
    number          INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    tenant          TEXT NOT NULL,
    reference       TEXT,
    platform        TEXT NOT NULL,
    app             TEXT NOT NULL,
    grant_id        TEXT NOT NULL REFERENCES grants (id),
    account_id      TEXT NOT NULL,
    profile         TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    disconnected_at INTEGER,
    UNIQUE (tenant, platform, app, account_id)
) STRICT;

CREATE INDEX connections_by_grant ON connections (grant_id);

-- A revocation outlives its grant, which connecting again may delete.
CREATE TABLE revocations (
    id                 TEXT NOT NULL PRIMARY KEY,
    grant_id           TEXT NOT NULL UNIQUE,
    grant_generation   INTEGER NOT NULL,
    tenant             TEXT NOT NULL,
    platform           TEXT NOT NULL,
    app                TEXT NOT NULL,
    client_id          TEXT NOT NULL,
    base_urls          TEXT NOT NULL,
    subject            TEXT,
    access             BLOB,
    access_expires_at  INTEGER,
    refresh            BLOB,
    refresh_expires_at INTEGER,
    attempts           INTEGER NOT NULL,
    next_try_at        INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    last_error         TEXT,
    created_at         INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_by_time ON revocations (next_try_at);

CREATE TABLE samples (
    connection  INTEGER NOT NULL REFERENCES connections (number),
    metric      TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    value       INTEGER NOT NULL,
    PRIMARY KEY (connection, metric, observed_at)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER samples_stay BEFORE UPDATE ON samples
BEGIN
    SELECT RAISE(ABORT, 'samples are never changed');
END;

CREATE TABLE readings (
    connection  INTEGER PRIMARY KEY REFERENCES connections (number),
    observed_at INTEGER NOT NULL,
    cells       TEXT NOT NULL,
    log_id      TEXT
) STRICT;

CREATE TABLE audit (
    id            TEXT NOT NULL PRIMARY KEY,
    at            INTEGER NOT NULL,
    tenant        TEXT NOT NULL,
    event         TEXT NOT NULL,
    connection_id TEXT,
    grant_id      TEXT,
    detail        TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (tenant, at);

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records are never changed');
END;

CREATE TRIGGER audit_keeps BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records are never deleted');
END;
