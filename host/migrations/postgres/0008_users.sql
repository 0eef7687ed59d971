-- The people who sign in to the pages, and where they have.
CREATE TABLE users (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name                TEXT NOT NULL,
    -- The name in lower case.
    name_key            TEXT NOT NULL UNIQUE,
    tenant              TEXT,
    password_hash       TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    password_changed_at BIGINT NOT NULL,
    disabled_at         BIGINT
);

CREATE TRIGGER users_stay_disabled BEFORE UPDATE ON users
FOR EACH ROW WHEN (old.disabled_at IS NOT NULL AND new.disabled_at IS NULL)
EXECUTE FUNCTION refuse('a disabled user stays disabled');

-- Of the token of a session there is only its digest.
CREATE TABLE sessions (
    digest       TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id);
