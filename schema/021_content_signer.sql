-- Whose the programmes are: what a revoked scheduler has signed is forgotten,
-- and nothing is needed for longer than programmes reach.

SET LOCAL ROLE loa_content;

CREATE TABLE content.signer (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    chain bytea NOT NULL);
COMMENT ON TABLE content.signer IS
    'Who signed programmes that are kept. When a certificate on the way to the root is revoked, they go.';
COMMENT ON COLUMN content.signer.chain IS
    'The certificates that lead from the key to the root, each after its length (two bytes, the high one first).';

ALTER TABLE content.programme
    ADD COLUMN signer bytea REFERENCES content.signer ON DELETE CASCADE;
CREATE INDEX ON content.programme (signer);
COMMENT ON COLUMN content.programme.signer IS
    'NULL: taken before signers were kept, and not heard again since.';

UPDATE content.programme SET expires_at = now() + interval '63 days'
    WHERE expires_at > now() + interval '63 days';
DELETE FROM content.need WHERE first_start_at > now() + interval '63 days';
UPDATE content.need SET until_at = now() + interval '63 days'
    WHERE until_at > now() + interval '63 days';

RESET ROLE;
