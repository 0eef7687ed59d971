-- Requests that a program may send again under a key of its own, with what they were answered. Keys and requests are digests.
CREATE TABLE requests (
    id             TEXT NOT NULL PRIMARY KEY,
    tenant         TEXT NOT NULL,
    key_digest     TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    answer         BLOB,
    leased_until   INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    UNIQUE (tenant, key_digest)
) STRICT;

CREATE INDEX requests_by_expiry ON requests (expires_at);
