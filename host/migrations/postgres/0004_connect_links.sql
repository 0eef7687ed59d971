-- Links that products give to people. Of the token of one there is only its digest.
CREATE TABLE connect_links (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    token_digest   TEXT NOT NULL UNIQUE,
    tenant         TEXT NOT NULL,
    platform       TEXT NOT NULL,
    app            TEXT NOT NULL,
    reference      TEXT,
    reconnects     TEXT,
    return_url     TEXT,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    browser_digest TEXT,
    -- Of the flow that began with it last.
    state_digest   TEXT UNIQUE,
    outcome        TEXT,
    ended_at       BIGINT
);

CREATE INDEX connect_links_by_expiry ON connect_links (expires_at);
