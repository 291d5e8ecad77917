-- How long what devices said is kept, and receipts that cannot be read.

SET LOCAL ROLE loa_telemetry;

CREATE TABLE telemetry.receipt_refused (
    device text NOT NULL,
    log_id bytea NOT NULL,
    sequence bigint NOT NULL,
    area text NOT NULL,
    why text NOT NULL,
    raw bytea NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device, log_id, sequence)
);
CREATE INDEX ON telemetry.receipt_refused (committed_at);
COMMENT ON TABLE telemetry.receipt_refused IS 'Receipts that could not be read, or that telemetry.receipt refused: set aside as they came, in no report. The device was told so (Ack.refused_sequences).';
COMMENT ON COLUMN telemetry.receipt_refused.why IS '"malformed", "event", "reason", ...: what is wrong; "database <SQLSTATE>": the table refused it.';
COMMENT ON COLUMN telemetry.receipt_refused.raw IS 'The encoded loa.v1.Receipt as it came; of a row that the table refused, the row as text for COPY.';

-- Makes the partitions of the month of `at` and of the two that follow. Rows of
-- such a month that are in the default partition (of a device whose clock was
-- ahead) move into it, so that one wrong clock does not cost everybody a month.
CREATE OR REPLACE FUNCTION telemetry.make_partitions(at timestamptz) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    part text;
    key text;
    month timestamptz;
    next_month timestamptz;
BEGIN
    FOREACH parent IN ARRAY ARRAY['receipt', 'health'] LOOP
        key := CASE parent WHEN 'receipt' THEN 'at' ELSE 'received_at' END;
        FOR k IN 0..2 LOOP
            month := (date_trunc('month', at AT TIME ZONE 'UTC')
                      + make_interval(months => k)) AT TIME ZONE 'UTC';
            next_month := (date_trunc('month', at AT TIME ZONE 'UTC')
                           + make_interval(months => k + 1)) AT TIME ZONE 'UTC';
            part := parent || to_char(month AT TIME ZONE 'UTC', '_YYYYMM');
            CONTINUE WHEN to_regclass('telemetry.' || part) IS NOT NULL;
            EXECUTE format('CREATE TABLE telemetry.%I (LIKE telemetry.%I INCLUDING DEFAULTS)', part, parent);
            EXECUTE format('LOCK TABLE telemetry.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
            EXECUTE format(
                'WITH moved AS (DELETE FROM telemetry.%I WHERE %I >= $1 AND %I < $2 RETURNING *) INSERT INTO telemetry.%I SELECT * FROM moved',
                parent || '_default', key, key, part) USING month, next_month;
            EXECUTE format(
                'ALTER TABLE telemetry.%I ATTACH PARTITION telemetry.%I FOR VALUES FROM (%L) TO (%L)',
                parent, part, month, next_month);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION telemetry.make_partitions IS 'Makes the monthly partitions from the month of `at` on, three months; safe to repeat.';

-- Drops months that ended more than keep_days ago, both by the collector's clock
-- and by this server's: one clock that runs ahead drops nothing. A receipt bears
-- its device's time: what came in within keep_days although its month is long
-- over is kept, in the default partition. Returns how many months went.
CREATE FUNCTION telemetry.drop_partitions(parent text, at timestamptz, keep_days integer) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    before timestamptz := least(at, now()) - make_interval(days => keep_days);
    came text := CASE parent WHEN 'receipt' THEN 'committed_at' ELSE 'received_at' END;
    part text;
    month_end timestamptz;
    dropped_n integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = ('telemetry.' || parent)::regclass AND c.relname ~ '_[0-9]{6}$'
        ORDER BY c.relname
    LOOP
        month_end := (to_date(right(part, 6), 'YYYYMM')::timestamp + interval '1 month') AT TIME ZONE 'UTC';
        CONTINUE WHEN month_end > before;
        -- The whole first, as whoever inserts: nobody waits for each other.
        EXECUTE format('LOCK TABLE ONLY telemetry.%I IN ACCESS EXCLUSIVE MODE', parent);
        EXECUTE format('ALTER TABLE telemetry.%I DETACH PARTITION telemetry.%I', parent, part);
        EXECUTE format('INSERT INTO telemetry.%I SELECT * FROM telemetry.%I WHERE %I >= $1', parent, part, came) USING before;
        EXECUTE format('DROP TABLE telemetry.%I', part);
        dropped_n := dropped_n + 1;
    END LOOP;
    -- The default partition has no month: its rows go one by one, some at a time.
    EXECUTE format('DELETE FROM telemetry.%1$I WHERE ctid IN (SELECT ctid FROM telemetry.%1$I WHERE %2$I < $1 LIMIT 10000)',
                   parent || '_default', came) USING before;
    RETURN dropped_n;
END
$$;
COMMENT ON FUNCTION telemetry.drop_partitions IS 'Drops the months of telemetry.receipt or telemetry.health that ended more than keep_days before `at`; safe to repeat.';
RESET ROLE;
