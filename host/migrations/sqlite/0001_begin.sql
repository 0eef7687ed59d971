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
    issued_at          INTEGER NOT NULL,
    generation         INTEGER NOT NULL,
    -- The request that was sent with the refresh token and not answered. No jump of the wall clock moves the tick, which counts by the
    -- clock of that name.
    refresh_attempt    TEXT,
    refresh_sent_at    INTEGER,
    refresh_clock      TEXT,
    refresh_tick       INTEGER,
    refresh_unanswered INTEGER,
    parked_until       INTEGER,
    kept_answer        BLOB,
    -- Which states there are is for the program to say: a list here could not grow without a new table.
    state              TEXT NOT NULL,
    reason             TEXT,
    state_since        INTEGER NOT NULL,
    unlinked           TEXT,
    last_error         TEXT,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    CHECK (state <> 'reauth_required' OR reason IS NOT NULL),
    CHECK ((refresh_sent_at IS NULL) = (refresh_unanswered IS NULL)),
    CHECK (refresh_sent_at IS NOT NULL OR (refresh_attempt IS NULL AND refresh_tick IS NULL)),
    -- A grant that is over holds no token.
    CHECK (state NOT IN ('disconnecting', 'disconnected') OR (access IS NULL AND refresh IS NULL AND kept_answer IS NULL))
) STRICT;

CREATE INDEX grants_by_subject ON grants (platform, subject);
CREATE INDEX grants_by_access ON grants (platform, client_id, subject);
-- What a refresher looks for.
CREATE INDEX grants_unsettled ON grants (refresh_sent_at) WHERE refresh_sent_at IS NOT NULL;
CREATE INDEX grants_kept_answer ON grants (id) WHERE kept_answer IS NOT NULL;
CREATE INDEX grants_keep_alive ON grants ((refresh_expires_at - (refresh_expires_at - issued_at) / 4)) WHERE state = 'active';
CREATE INDEX grants_keep_fresh ON grants (platform, app, (access_expires_at - (access_expires_at - issued_at) / 4)) WHERE state = 'active';
CREATE INDEX grants_unlinked ON grants (tenant, created_at) WHERE unlinked IS NOT NULL;

-- What is wrong with an app at its platform, whichever grant meets it. An app that is well has no row.
CREATE TABLE app_health (
    platform            TEXT NOT NULL,
    app                 TEXT NOT NULL,
    client_id           TEXT NOT NULL,
    failures            INTEGER NOT NULL,
    refused_credentials TEXT,
    since               INTEGER NOT NULL,
    next_try_at         INTEGER,
    last_error          TEXT,
    PRIMARY KEY (platform, app, client_id)
) STRICT;

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
CREATE INDEX connections_by_account ON connections (tenant, platform, account_id);

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
