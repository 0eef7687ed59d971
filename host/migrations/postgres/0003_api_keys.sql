-- The keys that programs show the API. Of a key itself there is only its digest.
CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    tenant     TEXT,
    rights     TEXT NOT NULL,
    digest     TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE TRIGGER api_keys_stay_revoked BEFORE UPDATE ON api_keys
FOR EACH ROW WHEN (old.revoked_at IS NOT NULL)
EXECUTE FUNCTION refuse('a revoked API key stays revoked');
