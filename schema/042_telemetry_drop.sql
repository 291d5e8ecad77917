-- A month of health is dropped without being read.

SET LOCAL ROLE loa_telemetry;

-- As before, but only receipts are looked through for what came in late. Health
-- lies in the month in which it came: nothing in it is younger than its month,
-- and all of it was read while nobody could write. The default
-- partition loses more rows at a time, since receipts of every clock that makes
-- no sense lie there.
CREATE OR REPLACE FUNCTION telemetry.drop_partitions(parent text, at timestamptz, keep_days integer) RETURNS integer
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
        IF parent = 'receipt' THEN
            EXECUTE format('INSERT INTO telemetry.receipt SELECT * FROM telemetry.%I WHERE committed_at >= $1', part) USING before;
        END IF;
        EXECUTE format('DROP TABLE telemetry.%I', part);
        dropped_n := dropped_n + 1;
    END LOOP;
    -- The default partition has no month: its rows go one by one, some at a time.
    EXECUTE format('DELETE FROM telemetry.%1$I WHERE ctid IN (SELECT ctid FROM telemetry.%1$I WHERE %2$I < $1 LIMIT 100000)',
                   parent || '_default', came) USING before;
    RETURN dropped_n;
END
$$;
RESET ROLE;
