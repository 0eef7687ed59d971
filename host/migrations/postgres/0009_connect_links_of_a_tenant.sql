-- A tenant's connect links come by the page, in the order in which they were made.
CREATE INDEX connect_links_in_order ON connect_links (tenant, id);

-- Those that have not ended are counted for each that is made.
CREATE INDEX connect_links_open ON connect_links (tenant, ended_at, expires_at);
