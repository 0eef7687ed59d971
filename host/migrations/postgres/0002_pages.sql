-- What lists are read by, a page at a time and in their order. The same tables and columns as in migrations/sqlite.

CREATE INDEX connections_in_order ON connections (tenant, number);
CREATE INDEX connections_by_platform ON connections (tenant, platform, number);
CREATE INDEX connections_by_account_id ON connections (tenant, account_id, number);
CREATE INDEX connections_by_reference ON connections (tenant, reference, number);

DROP INDEX audit_by_time;
CREATE INDEX audit_in_order ON audit (tenant, at, id);
CREATE INDEX audit_by_event ON audit (tenant, event, at, id);
CREATE INDEX audit_by_grant ON audit (tenant, grant_id, at, id) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_by_connection ON audit (tenant, connection_id, at, id) WHERE connection_id IS NOT NULL;
