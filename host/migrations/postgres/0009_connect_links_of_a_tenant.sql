-- A tenant's connect links come by the page, in the order in which they were made.
CREATE INDEX connect_links_in_order ON connect_links (tenant, id);
