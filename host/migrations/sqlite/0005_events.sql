-- What is told to receivers. An event is stored with the change it tells of; `position` orders the events of a tenant as they were
-- committed. `body` is what is sent, made once; `facts` and `body` are erased with the connection.
CREATE TABLE events (
    tenant        TEXT NOT NULL,
    position      INTEGER NOT NULL,
    id            TEXT NOT NULL UNIQUE,
    connection_id TEXT NOT NULL,
    kind          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    facts         TEXT,
    body          TEXT,
    PRIMARY KEY (tenant, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_of_connection ON events (tenant, connection_id, position);
CREATE INDEX events_by_age ON events (at);

CREATE TABLE event_receivers (
    id              TEXT NOT NULL PRIMARY KEY,
    tenant          TEXT NOT NULL,
    url             TEXT NOT NULL,
    -- The words of the kinds it wants, each between spaces; null for all.
    kinds           TEXT,
    secret          BLOB NOT NULL,
    previous_secret BLOB,
    previous_until  INTEGER,
    created_at      INTEGER NOT NULL,
    disabled_at     INTEGER,
    disabled_reason TEXT
) STRICT;

CREATE INDEX event_receivers_of_tenant ON event_receivers (tenant);

-- An event on its way to a receiver. `outcome` is null until it is delivered or dead; `next_try_at` fences the last attempt.
CREATE TABLE event_deliveries (
    tenant        TEXT NOT NULL,
    position      INTEGER NOT NULL,
    receiver      TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    since         INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    next_try_at   INTEGER NOT NULL,
    outcome       TEXT,
    last_error    TEXT,
    PRIMARY KEY (tenant, position, receiver)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_deliveries_in_order ON event_deliveries (receiver, connection_id, position) WHERE outcome IS NULL;
CREATE INDEX event_deliveries_due ON event_deliveries (receiver, next_try_at) WHERE outcome IS NULL;
CREATE INDEX event_deliveries_dead ON event_deliveries (tenant, position) WHERE outcome = 'dead';
CREATE INDEX event_deliveries_by_age ON event_deliveries (since);
