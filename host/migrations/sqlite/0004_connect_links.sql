-- Links that products give to people. Of the token of one there is only its digest.
CREATE TABLE connect_links (
    id             TEXT NOT NULL PRIMARY KEY,
    token_digest   TEXT NOT NULL UNIQUE,
    tenant         TEXT NOT NULL,
    platform       TEXT NOT NULL,
    app            TEXT NOT NULL,
    reference      TEXT,
    reconnects     TEXT,
    return_url     TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    browser_digest TEXT,
    -- Of the flow that began with it last.
    state_digest   TEXT UNIQUE,
    outcome        TEXT,
    ended_at       INTEGER
) STRICT;

CREATE INDEX connect_links_by_expiry ON connect_links (expires_at);
