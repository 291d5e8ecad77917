-- The scheduler: what is to be said where and when, and the programmes made
-- of it. Area paths are ltrees: vn/08/070 is vn.08.070.

CALL loa_service('scheduler');
SET LOCAL ROLE loa_scheduler;

CREATE TABLE scheduler.area (
    path public.ltree,
    code text NOT NULL,
    name text NOT NULL,
    tier smallint NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    version bigint NOT NULL,
    PRIMARY KEY (path, valid_from));
COMMENT ON TABLE scheduler.area IS
    'Copy of the registry''s area tree, so that schedules are taken while the registry is away.';
COMMENT ON COLUMN scheduler.area.tier IS '1 central, 2 province, 3 district, 4 commune, 5 hamlet.';
COMMENT ON COLUMN scheduler.area.valid_from IS 'One row for each time in which name or code was another.';
COMMENT ON COLUMN scheduler.area.valid_until IS 'NULL: still valid.';
COMMENT ON COLUMN scheduler.area.version IS 'Of the registry''s tree when this row last changed.';

CREATE TABLE scheduler.area_sync (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE scheduler.area_sync IS 'The version of the area tree that the copy is complete up to.';

CREATE TABLE scheduler.approval (
    approval_id bytea PRIMARY KEY CHECK (octet_length(approval_id) = 32),
    envelope bytea NOT NULL,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    approved_by text NOT NULL,
    expires_at timestamptz NOT NULL);
COMMENT ON TABLE scheduler.approval IS 'Approvals of contents that are or were scheduled.';
COMMENT ON COLUMN scheduler.approval.approval_id IS 'BLAKE2b-256 of the envelope.';
COMMENT ON COLUMN scheduler.approval.envelope IS 'The APPROVAL envelope as it was handed in.';
COMMENT ON COLUMN scheduler.approval.expires_at IS
    'End of the envelope or of the approver''s certificate, whichever is first: no occurrence lasts longer.';

CREATE TABLE scheduler.bulletin (
    bulletin_id bytea PRIMARY KEY CHECK (octet_length(bulletin_id) = 16),
    approval_id bytea NOT NULL REFERENCES scheduler.approval,
    areas public.ltree[] NOT NULL CHECK (cardinality(areas) BETWEEN 1 AND 64),
    class smallint NOT NULL CHECK (class IN (1, 2)),
    title text NOT NULL,
    start_at timestamptz NOT NULL,
    frequency smallint NOT NULL CHECK (frequency IN (0, 1, 2)),
    weekdays smallint NOT NULL CHECK (weekdays BETWEEN 0 AND 127),
    until_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    requester_area public.ltree NOT NULL,
    requester_issuer bytea NOT NULL CHECK (octet_length(requester_issuer) = 32),
    requester_serial bigint NOT NULL,
    cancelled_at timestamptz,
    cancelled_by text NOT NULL DEFAULT '',
    cancelled_why text NOT NULL DEFAULT '',
    revision bigint NOT NULL);
CREATE INDEX ON scheduler.bulletin USING gist (areas);
CREATE INDEX ON scheduler.bulletin (approval_id);
COMMENT ON TABLE scheduler.bulletin IS
    'What is to be said: content, class, where and when. A row is written before its asker is told.';
COMMENT ON COLUMN scheduler.bulletin.class IS '1 normal, 2 priority (interrupts normal).';
COMMENT ON COLUMN scheduler.bulletin.title IS 'Empty: the content''s own.';
COMMENT ON COLUMN scheduler.bulletin.start_at IS 'Of the first occurrence.';
COMMENT ON COLUMN scheduler.bulletin.frequency IS '0 once, 1 daily, 2 weekly; wall time is Asia/Ho_Chi_Minh.';
COMMENT ON COLUMN scheduler.bulletin.weekdays IS 'Weekly: bit 0 Monday ... bit 6 Sunday.';
COMMENT ON COLUMN scheduler.bulletin.until_at IS 'No occurrence starts later.';
COMMENT ON COLUMN scheduler.bulletin.requester_serial IS
    'With requester_issuer: the certificate that asked; its revocation cancels the bulletin.';
COMMENT ON COLUMN scheduler.bulletin.cancelled_why IS
    'asked, approver-revoked, requester-revoked or approval-void.';
COMMENT ON COLUMN scheduler.bulletin.revision IS
    'Rises with each change of the plan; above a programme''s revision, that programme must be made anew.';

CREATE TABLE scheduler.bulletin_past (LIKE scheduler.bulletin,
    forgotten_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON scheduler.bulletin_past USING gist (areas);
CREATE INDEX ON scheduler.bulletin_past (start_at);
COMMENT ON TABLE scheduler.bulletin_past IS
    'Bulletins that ended long ago; for reports, the scheduler itself no longer reads them.';

CREATE TABLE scheduler.programme (
    area public.ltree PRIMARY KEY,
    version bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    built_at timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    bulletins_n integer NOT NULL,
    revision bigint NOT NULL);
COMMENT ON TABLE scheduler.programme IS
    'The newest programme of every area that has or had one; its bytes are in the outbox.';
COMMENT ON COLUMN scheduler.programme.hash IS 'BLAKE2b-256 of the PROGRAMME envelope, as the head says it.';
COMMENT ON COLUMN scheduler.programme.window_end IS 'Occurrences that start before it are listed.';
COMMENT ON COLUMN scheduler.programme.revision IS 'Of the plan when it was made.';

RESET ROLE;
