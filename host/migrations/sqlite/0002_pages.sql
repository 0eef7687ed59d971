-- What lists are read by, a page at a time and in their order.

CREATE INDEX connections_in_order ON connections (tenant, number);
CREATE INDEX connections_by_platform ON connections (tenant, platform, number);
CREATE INDEX connections_by_account_id ON connections (tenant, account_id, number);
CREATE INDEX connections_by_reference ON connections (tenant, reference, number);

DROP INDEX audit_by_time;
CREATE INDEX audit_by_event ON audit (tenant, event, at, id);
CREATE INDEX audit_by_grant ON audit (tenant, grant_id, at, id) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_by_connection ON audit (tenant, connection_id, at, id) WHERE connection_id IS NOT NULL;
CREATE INDEX audit_in_order ON audit (tenant, at, id);

-- The samples of a tenant in the order in which they were stored. `last` is the position of the newest one; whoever adds some takes the
-- next positions from it and has the row to itself until its transaction ends.
CREATE TABLE sample_feeds (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL UNIQUE,
    last   INTEGER NOT NULL
) STRICT;

INSERT INTO sample_feeds (tenant, last)
SELECT c.tenant, count(*) FROM samples s JOIN connections c ON c.number = s.connection GROUP BY c.tenant;

CREATE TABLE samples_with_positions (
    connection  INTEGER NOT NULL REFERENCES connections (number),
    metric      TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    value       INTEGER NOT NULL,
    feed        INTEGER NOT NULL REFERENCES sample_feeds (number),
    position    INTEGER NOT NULL,
    PRIMARY KEY (connection, metric, observed_at)
) STRICT, WITHOUT ROWID;

-- In which order the older ones were stored is not known: the order of their observation is as good.
INSERT INTO samples_with_positions
SELECT s.connection, s.metric, s.observed_at, s.value, f.number,
       row_number() OVER (PARTITION BY f.number ORDER BY s.observed_at, s.connection, s.metric)
FROM samples s JOIN connections c ON c.number = s.connection JOIN sample_feeds f ON f.tenant = c.tenant;

DROP TABLE samples;
ALTER TABLE samples_with_positions RENAME TO samples;
CREATE UNIQUE INDEX samples_in_order ON samples (feed, position);

CREATE TRIGGER samples_stay BEFORE UPDATE ON samples
BEGIN
    SELECT RAISE(ABORT, 'samples are never changed');
END;
