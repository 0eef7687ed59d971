-- Requests that a program may send again under a key of its own, with what they were answered. Keys and requests are digests.
CREATE TABLE requests (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant         TEXT NOT NULL,
    key_digest     TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    answer         BYTEA,
    leased_until   BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    UNIQUE (tenant, key_digest)
);

CREATE INDEX requests_by_expiry ON requests (expires_at);
