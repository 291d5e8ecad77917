-- The registry: areas with their history, devices, principals, revocations.

CALL loa_service('registry');
SET LOCAL ROLE loa_registry;
SET LOCAL search_path = registry, public;

CREATE DOMAIN area_id AS text CHECK (VALUE ~ '^[A-Za-z0-9_]{1,16}$');
CREATE DOMAIN principal_id AS text CHECK (VALUE ~ '^[A-Za-z0-9_]{1,32}$');
CREATE DOMAIN public_key AS bytea CHECK (octet_length(VALUE) = 32);

CREATE TABLE state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    areas_version bigint NOT NULL DEFAULT 0,
    trust_number bigint NOT NULL DEFAULT 0,
    trust_at timestamptz,
    trust_signer numeric(20),
    last_serial bigint NOT NULL DEFAULT 0);
INSERT INTO state DEFAULT VALUES;
COMMENT ON TABLE state IS 'Counters that never fall; one row.';
COMMENT ON COLUMN state.areas_version IS 'Of the area tree: rises with every import that changes something.';
COMMENT ON COLUMN state.trust_number IS 'Of the newest revocation list that was signed.';
COMMENT ON COLUMN state.trust_signer IS 'Serial of the certificate it was signed with.';
COMMENT ON COLUMN state.last_serial IS 'Of the newest certificate that the registry issued.';

-- areas

CREATE TABLE area (
    id area_id PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE area IS 'Every area there ever was. An id is never used again; rows are never deleted.';
COMMENT ON COLUMN area.id IS 'The official code when the area was first imported, with _2, _3 ... behind it where that was taken.';

CREATE TABLE area_state (
    area area_id NOT NULL REFERENCES area,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz CHECK (valid_until > valid_from),
    code text NOT NULL,
    parent area_id REFERENCES area,
    tier smallint NOT NULL CHECK (tier BETWEEN 1 AND 5),
    name text NOT NULL CHECK (name <> '' AND octet_length(name) <= 128),
    name_folded text NOT NULL,
    path ltree NOT NULL CHECK (nlevel(path) BETWEEN 1 AND 8),
    version bigint NOT NULL,
    PRIMARY KEY (area, valid_from));
CREATE UNIQUE INDEX ON area_state (area) WHERE valid_until IS NULL;
CREATE UNIQUE INDEX ON area_state (code) WHERE valid_until IS NULL;
CREATE INDEX ON area_state USING gist (path);
CREATE INDEX ON area_state (name_folded text_pattern_ops);
CREATE INDEX ON area_state (version);
COMMENT ON TABLE area_state IS 'What an area was, from when until when; the newest row of an open area has no end.';
COMMENT ON COLUMN area_state.code IS 'The official code; another area may have it after this one was closed.';
COMMENT ON COLUMN area_state.tier IS '1 central, 2 province, 3 district, 4 commune, 5 hamlet.';
COMMENT ON COLUMN area_state.name IS 'UTF-8, NFC.';
COMMENT ON COLUMN area_state.name_folded IS 'The name in lower case without diacritics: WHERE name_folded LIKE ''%tuyen quang%''.';
COMMENT ON COLUMN area_state.path IS 'Ids from the root, as the topics have them with slashes; it follows from the parents, and a new row begins when it changes.';
COMMENT ON COLUMN area_state.version IS 'Of the tree when this row last changed.';

CREATE VIEW area_now AS
    SELECT area, code, name, tier, parent, path, valid_from
    FROM area_state
    WHERE valid_from <= now() AND (valid_until IS NULL OR now() < valid_until);
COMMENT ON VIEW area_now IS 'The tree as it is today. Below an area: WHERE path <@ ''vn.08''.';

CREATE TABLE import_part (
    import_id bytea NOT NULL CHECK (octet_length(import_id) = 16),
    part smallint NOT NULL,
    parts_n smallint NOT NULL CHECK (part >= 0 AND part < parts_n AND parts_n <= 64),
    owner principal_id NOT NULL,
    valid_from timestamptz,
    csv bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_id, part));
COMMENT ON TABLE import_part IS 'Pieces of files that are not complete yet; gone when the import is done.';

-- devices

CREATE TABLE device (
    id principal_id PRIMARY KEY,
    area ltree NOT NULL,
    serial text NOT NULL,
    model text NOT NULL,
    name text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    code_request bytea NOT NULL,
    code_expires_at timestamptz NOT NULL,
    code_used boolean NOT NULL,
    key public_key,
    enrolled_at timestamptz,
    not_after timestamptz,
    certificate_serial bigint,
    revoked boolean NOT NULL DEFAULT false);
CREATE INDEX ON device USING gist (area);
COMMENT ON TABLE device IS 'Loudspeakers that have a place, enrolled or waiting to be.';
COMMENT ON COLUMN device.area IS 'Where it hangs: the path in its certificate.';
COMMENT ON COLUMN device.code_request IS 'Message id of the request that made the one-time code. The code itself is in no table: the registry makes it again from this and its own secret key.';
COMMENT ON COLUMN device.key IS 'NULL: not enrolled yet.';

CREATE TABLE device_code (
    message_id bytea PRIMARY KEY CHECK (octet_length(message_id) = 16),
    device principal_id NOT NULL REFERENCES device,
    made_by principal_id NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL);
CREATE INDEX ON device_code (made_at);
COMMENT ON TABLE device_code IS 'Who asked for which code: a request that comes twice makes one code.';

CREATE TABLE device_certificate (
    serial bigint PRIMARY KEY,
    device principal_id NOT NULL REFERENCES device,
    key public_key NOT NULL,
    certificate bytea NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    not_after timestamptz NOT NULL);
CREATE INDEX ON device_certificate (device);
COMMENT ON TABLE device_certificate IS 'Every certificate that the registry issued, as it was sent.';
COMMENT ON COLUMN device_certificate.certificate IS 'An encoded loa.v1.Certificate.';

-- people and services

CREATE TABLE principal (
    issuer public_key,
    serial numeric(20),
    id principal_id NOT NULL,
    key public_key NOT NULL,
    name text NOT NULL,
    role smallint NOT NULL,
    service text NOT NULL,
    area ltree NOT NULL,
    powers integer NOT NULL,
    not_after timestamptz NOT NULL,
    revoked boolean NOT NULL DEFAULT false,
    added_by principal_id NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, serial));
CREATE INDEX ON principal (id);
CREATE INDEX ON principal USING gist (area);
COMMENT ON TABLE principal IS 'Certificates of people and services that were made known, so that they can be found and revoked.';
COMMENT ON COLUMN principal.powers IS 'Bits of loa.v1.Power.';

CREATE TABLE revocation (
    issuer public_key,
    serial numeric(20),
    principal principal_id NOT NULL,
    reason text NOT NULL,
    revoked_by principal_id,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    not_after timestamptz NOT NULL,
    PRIMARY KEY (issuer, serial));
CREATE INDEX ON revocation (not_after);
COMMENT ON TABLE revocation IS 'Certificates that nobody may believe any more. On the published list until 30 days after their end.';
COMMENT ON COLUMN revocation.revoked_by IS 'NULL: the registry itself, because the device has a new key.';

RESET ROLE;
