-- content-ingest: uploads, contents with their packets and approvals, and what
-- areas need. Area paths are ltrees: vn/08/070 is vn.08.070.

CALL loa_service('content');
SET LOCAL ROLE loa_content;

CREATE TABLE content.upload (
    upload_id bytea PRIMARY KEY CHECK (octet_length(upload_id) = 16),
    area public.ltree NOT NULL,
    submitted_by text NOT NULL,
    media smallint NOT NULL CHECK (media IN (1, 2)),
    title text NOT NULL,
    language text NOT NULL,
    file_name text NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    state text NOT NULL DEFAULT 'receiving'
        CHECK (state IN ('receiving', 'waiting', 'encoding', 'done', 'failed', 'dropped')),
    attempts_n integer NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    content_hash bytea CHECK (octet_length(content_hash) = 32),
    failure_code smallint,
    failure_vi text,
    failure_en text,
    swept boolean NOT NULL DEFAULT false,
    CHECK ((state = 'done') = (content_hash IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL)));
CREATE INDEX ON content.upload (state) WHERE state IN ('receiving', 'waiting', 'encoding');
CREATE INDEX ON content.upload (ended_at) WHERE NOT swept;
COMMENT ON TABLE content.upload IS
    'Files and texts handed in. Those not ended are work: a service that was killed goes on with them.';
COMMENT ON COLUMN content.upload.upload_id IS 'Chosen by the sender: the same id finds the upload again.';
COMMENT ON COLUMN content.upload.area IS 'Whose content it becomes.';
COMMENT ON COLUMN content.upload.submitted_by IS 'Principal of the sender.';
COMMENT ON COLUMN content.upload.media IS '1 recording, 2 text.';
COMMENT ON COLUMN content.upload.size IS 'Bytes, as announced.';
COMMENT ON COLUMN content.upload.state IS
    'receiving parts; waiting for the encoder; encoding; done: content_hash says as what; failed: the failure columns say why; dropped: given up by its sender.';
COMMENT ON COLUMN content.upload.attempts_n IS 'Encodings begun. After three that never ended it fails.';
COMMENT ON COLUMN content.upload.failure_code IS 'Status.Code of loa.v1.';
COMMENT ON COLUMN content.upload.failure_vi IS 'What the sender is told, in Vietnamese.';
COMMENT ON COLUMN content.upload.failure_en IS 'The same in English.';
COMMENT ON COLUMN content.upload.swept IS 'Its parts are deleted.';

CREATE TABLE content.upload_part (
    upload_id bytea NOT NULL REFERENCES content.upload ON DELETE CASCADE,
    at_byte bigint NOT NULL CHECK (at_byte >= 0),
    data bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload_id, at_byte));
ALTER TABLE content.upload_part ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE content.upload_part IS
    'Bytes of uploads, until they are encoded. Stored before the sender is answered.';
COMMENT ON COLUMN content.upload_part.at_byte IS 'Offset in the file. Parts may overlap; the earlier one counts.';

CREATE TABLE content.content (
    content_hash bytea PRIMARY KEY CHECK (octet_length(content_hash) = 32),
    stream_key bytea NOT NULL UNIQUE CHECK (octet_length(stream_key) = 32),
    manifest bytea NOT NULL,
    media smallint NOT NULL CHECK (media IN (1, 2)),
    title text NOT NULL,
    language text NOT NULL,
    packets_n integer NOT NULL CHECK (packets_n > 0),
    frames_n integer NOT NULL CHECK (frames_n > 0),
    duration_ms integer NOT NULL,
    pre_skip integer NOT NULL,
    bytes bigint NOT NULL,
    source_hash bytea NOT NULL CHECK (octet_length(source_hash) = 32),
    source_text text,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleting_at timestamptz);
CREATE INDEX ON content.content (created_at, content_hash);
CREATE INDEX ON content.content (deleting_at) WHERE deleting_at IS NOT NULL;
COMMENT ON TABLE content.content IS 'Sound that is ready to be approved and played.';
COMMENT ON COLUMN content.content.content_hash IS 'BLAKE2b-256 over the Opus frames; see ContentManifest.';
COMMENT ON COLUMN content.content.stream_key IS
    'Public key that signed the packets. The secret was forgotten when they were signed.';
COMMENT ON COLUMN content.content.manifest IS 'Encoded ContentManifest: the bytes that approvers sign.';
COMMENT ON COLUMN content.content.pre_skip IS 'Samples at 48 kHz to drop at the start (RFC 7845).';
COMMENT ON COLUMN content.content.source_hash IS 'BLAKE2b-256 of the file or text handed in.';
COMMENT ON COLUMN content.content.source_text IS 'The text itself; NULL for recordings.';
COMMENT ON COLUMN content.content.deleting_at IS
    'When deletion was asked for; it goes after a grace time unless a programme needs it by then.';

CREATE TABLE content.submission (
    content_hash bytea NOT NULL REFERENCES content.content ON DELETE CASCADE,
    area public.ltree NOT NULL,
    submitted_by text NOT NULL,
    upload_id bytea NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (content_hash, area));
CREATE INDEX ON content.submission USING gist (area);
COMMENT ON TABLE content.submission IS
    'Which areas handed a content in: the same file from two areas is one content with two rows here.';

CREATE TABLE content.approval (
    approval_id bytea PRIMARY KEY CHECK (octet_length(approval_id) = 32),
    content_hash bytea NOT NULL REFERENCES content.content ON DELETE CASCADE,
    envelope bytea NOT NULL,
    area public.ltree NOT NULL,
    approved_by text NOT NULL,
    approved_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL);
CREATE INDEX ON content.approval (content_hash);
CREATE INDEX ON content.approval USING gist (area);
COMMENT ON TABLE content.approval IS 'Verified APPROVAL envelopes, with their certificates, as they were handed in.';
COMMENT ON COLUMN content.approval.approval_id IS 'BLAKE2b-256 of the signed bytes and the signer''s key.';
COMMENT ON COLUMN content.approval.area IS 'Area that the approval is for, with everything below it.';

CREATE TABLE content.packet (
    stream_key bytea NOT NULL CHECK (octet_length(stream_key) = 32),
    sequence integer NOT NULL CHECK (sequence >= 0),
    body bytea NOT NULL,
    PRIMARY KEY (stream_key, sequence));
ALTER TABLE content.packet ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE content.packet IS
    'Encoded AudioPackets, each 200 ms and signed: what goes out on down/content. Written before their content''s row.';

CREATE TABLE content.trash (
    stream_key bytea PRIMARY KEY CHECK (octet_length(stream_key) = 32),
    ready boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT now());
COMMENT ON COLUMN content.trash.ready IS 'Nobody writes to it any more: its packets may be deleted.';
COMMENT ON TABLE content.trash IS
    'Streams whose packets belong to no content: being written (taken out by the commit that makes the content), or left over and deleted little by little.';

CREATE TABLE content.programme (
    area public.ltree PRIMARY KEY,
    version bigint NOT NULL,
    expires_at timestamptz NOT NULL);
COMMENT ON TABLE content.programme IS 'The newest programme of each area that was believed; older ones are refused.';

CREATE TABLE content.need (
    area public.ltree NOT NULL REFERENCES content.programme ON DELETE CASCADE,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    version bigint NOT NULL,
    first_start_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    pushed_at timestamptz,
    PRIMARY KEY (area, content_hash));
CREATE INDEX ON content.need (content_hash);
COMMENT ON TABLE content.need IS 'What the newest programmes play: these contents are pushed, repaired and not deleted.';
COMMENT ON COLUMN content.need.first_start_at IS 'Next start when the programme came: what is on air sooner is pushed sooner.';
COMMENT ON COLUMN content.need.until_at IS 'End of the last occurrence, or of the programme.';
COMMENT ON COLUMN content.need.pushed_at IS
    'When all packets had been sent to the area or to one above it; NULL: not yet.';

RESET ROLE;
