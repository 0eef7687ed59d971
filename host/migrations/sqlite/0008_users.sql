-- The people who sign in to the pages, and where they have.
CREATE TABLE users (
    id                  TEXT NOT NULL PRIMARY KEY,
    name                TEXT NOT NULL,
    -- The name in lower case.
    name_key            TEXT NOT NULL UNIQUE,
    tenant              TEXT,
    password_hash       TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL,
    disabled_at         INTEGER
) STRICT;

CREATE TRIGGER users_stay_disabled BEFORE UPDATE ON users
WHEN old.disabled_at IS NOT NULL AND new.disabled_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a disabled user stays disabled');
END;

-- Of the token of a session there is only its digest.
CREATE TABLE sessions (
    digest       TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);
