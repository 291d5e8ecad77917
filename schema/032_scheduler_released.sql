-- Contents that content-ingest was told it may delete: no bulletin needed them.

SET LOCAL ROLE loa_scheduler;

CREATE TABLE scheduler.released (
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    area public.ltree NOT NULL,
    closed_until timestamptz NOT NULL,
    PRIMARY KEY (content_hash, area));
CREATE INDEX ON scheduler.released (closed_until);
COMMENT ON TABLE scheduler.released IS
    'Contents that may be gone: they are scheduled again only on the strength of an approval given later. Written before content-ingest is answered.';
COMMENT ON COLUMN scheduler.released.area IS 'Of the content-ingest that asked.';
COMMENT ON COLUMN scheduler.released.closed_until IS
    'No bulletin needs the content before; approvals given before do not count.';

RESET ROLE;
