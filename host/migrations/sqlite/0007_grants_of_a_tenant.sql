-- What the connections of one tenant hold is found without reading those of others.
CREATE INDEX grants_in_order ON grants (tenant, id);
