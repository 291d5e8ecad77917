-- What the scheduler's clock was when it was believed last: a jump is one for
-- the next process, too.

SET LOCAL ROLE loa_scheduler;

CREATE TABLE scheduler.clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    boot_id text NOT NULL,
    offset_ms bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE scheduler.clock IS
    'The scheduler''s clock when it was believed last. Nothing can be told from it after the machine was started anew.';
COMMENT ON COLUMN scheduler.clock.boot_id IS 'Of the start of the machine: /proc/sys/kernel/random/boot_id.';
COMMENT ON COLUMN scheduler.clock.offset_ms IS 'Wall time less the time since that start.';

RESET ROLE;
