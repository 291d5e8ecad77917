-- Who asked, up to the root: a bulletin falls with any link.

ALTER TABLE scheduler.bulletin
    ADD COLUMN requester_chain bytea NOT NULL DEFAULT '';
ALTER TABLE scheduler.bulletin_past
    ADD COLUMN requester_chain bytea NOT NULL DEFAULT '';
COMMENT ON COLUMN scheduler.bulletin.requester_chain IS
    'The certificates that lead from the asker to the root, each after its length (two bytes, the high one first). Empty: asked for before they were kept.';
