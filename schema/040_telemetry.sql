-- What devices said: presence, health, and the receipts that prove a broadcast.

CALL loa_service('telemetry');
SET LOCAL ROLE loa_telemetry;

CREATE TABLE telemetry.device (
    device text PRIMARY KEY,
    area text NOT NULL,
    state bytea,
    session bigint NOT NULL DEFAULT 0,
    health bytea,
    last_seen timestamptz NOT NULL,
    log_id bytea,
    committed bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE telemetry.device IS 'The last word of every device that ever spoke.';
COMMENT ON COLUMN telemetry.device.area IS 'Area path from the topic, which the broker ties to the certificate.';
COMMENT ON COLUMN telemetry.device.state IS 'Encoded loa.v1.State, newest session.';
COMMENT ON COLUMN telemetry.device.session IS 'State.session: a will of an older connection is not believed.';
COMMENT ON COLUMN telemetry.device.health IS 'Encoded loa.v1.Health, the last one.';
COMMENT ON COLUMN telemetry.device.last_seen IS 'By the collector''s clock.';
COMMENT ON COLUMN telemetry.device.log_id IS 'ReceiptBatch.log_id of the log in use.';
COMMENT ON COLUMN telemetry.device.committed IS 'Receipts of that log up to here are in telemetry.receipt.';

-- `at` is the device's own time and the same in every repeat, so the key
-- catches repeats although it must hold the partition column.
CREATE TABLE telemetry.receipt (
    device text NOT NULL,
    log_id bytea NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    area text NOT NULL,
    bulletin_id bytea NOT NULL,
    start_at timestamptz,
    event smallint NOT NULL,
    reason text NOT NULL,
    first_sample_us bigint NOT NULL,
    at_us bigint NOT NULL,
    played_ms integer NOT NULL,
    concealed_ms integer NOT NULL,
    content_hash bytea,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device, log_id, sequence, at)
) PARTITION BY RANGE (at);
CREATE INDEX ON telemetry.receipt (bulletin_id, device, sequence);
COMMENT ON TABLE telemetry.receipt IS 'Signed words of devices on what became of each bulletin; one row per receipt, however often it came.';
COMMENT ON COLUMN telemetry.receipt.at IS 'By the device''s clock, to the millisecond; the partitions are its months.';
COMMENT ON COLUMN telemetry.receipt.event IS 'loa.v1.ReceiptEvent: 1 received, 2 verified, 3 started, 4 finished, 5 interrupted, 6 refused, 7 command.';
COMMENT ON COLUMN telemetry.receipt.start_at IS 'The occurrence; null: about the bulletin as a whole.';
COMMENT ON COLUMN telemetry.receipt.first_sample_us IS 'Unix microseconds at which the first sample left; 0: none.';

CREATE TABLE telemetry.health (
    device text NOT NULL,
    area text NOT NULL,
    received_at timestamptz NOT NULL,
    uptime_s bigint NOT NULL,
    resident_bytes bigint NOT NULL,
    disk_free_bytes bigint NOT NULL,
    cpu_permille integer NOT NULL,
    volume_percent smallint NOT NULL,
    stale boolean NOT NULL,
    receipts_pending integer NOT NULL,
    contents_missing integer NOT NULL,
    frames_played bigint NOT NULL,
    frames_concealed bigint NOT NULL,
    clock_offset_us bigint NOT NULL,
    refused_messages bigint NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX ON telemetry.health (device, received_at);
COMMENT ON TABLE telemetry.health IS 'Health reports, one a minute and device; kept by month.';
COMMENT ON COLUMN telemetry.health.received_at IS 'By the collector''s clock.';

CREATE TABLE telemetry.receipt_default PARTITION OF telemetry.receipt DEFAULT;
CREATE TABLE telemetry.health_default PARTITION OF telemetry.health DEFAULT;
COMMENT ON TABLE telemetry.receipt_default IS 'Receipts whose device had no right time.';

-- Makes the partitions of the month of `at` and of the two that follow.
CREATE FUNCTION telemetry.make_partitions(at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month timestamptz;
BEGIN
    FOREACH parent IN ARRAY ARRAY['receipt', 'health'] LOOP
        FOR k IN 0..2 LOOP
            month := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
                     + make_interval(months => k);
            BEGIN
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS telemetry.%I PARTITION OF telemetry.%I FOR VALUES FROM (%L) TO (%L)',
                    parent || to_char(month AT TIME ZONE 'UTC', '_YYYYMM'), parent,
                    month, date_trunc('month', month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
            EXCEPTION WHEN check_violation THEN
                -- A device whose clock was ahead has rows of that month in the
                -- default partition: they stay there, and so does the month.
                NULL;
            END;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION telemetry.make_partitions IS 'Makes the monthly partitions from the month of `at` on, three months; safe to repeat.';
RESET ROLE;
