-- What every service's schema holds beside its own tables: the inbox that
-- dedupes requests, the outbox of retained documents, the newest trust list.

-- Not into the schema of whoever applies this, which services do not search.
CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;

-- Makes schema, role and runtime tables of one service. The role may touch
-- nothing but its own schema.
CREATE PROCEDURE loa_service(service name)
LANGUAGE plpgsql AS $$
DECLARE
    role_name name := 'loa_' || service;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I LOGIN', role_name);
    END IF;
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', service, role_name);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I, public',
                   role_name, current_database(), service);

    EXECUTE format($t$
        CREATE TABLE %1$I.inbox (
            message_id bytea PRIMARY KEY CHECK (octet_length(message_id) = 16),
            answer bytea NOT NULL,
            at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON %1$I.inbox (at);
        COMMENT ON TABLE %1$I.inbox IS
            'Answers given, by the id of the request: a repeated request gets the same answer and changes nothing.';
        COMMENT ON COLUMN %1$I.inbox.answer IS 'The signed answer envelope as it was sent.';

        CREATE TABLE %1$I.outbox (
            topic text PRIMARY KEY,
            body bytea NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE %1$I.outbox IS
            'Retained documents that this service owns; published after the commit and again after every reconnect. An empty body clears the topic.';

        CREATE TABLE %1$I.trust_list (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            number bigint NOT NULL,
            envelope bytea NOT NULL,
            at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE %1$I.trust_list IS
            'The newest revocation list that was believed, as received.';
        $t$, service);
    EXECUTE format('ALTER TABLE %1$I.inbox OWNER TO %2$I; ALTER TABLE %1$I.outbox OWNER TO %2$I; ALTER TABLE %1$I.trust_list OWNER TO %2$I',
                   service, role_name);
END
$$;
COMMENT ON PROCEDURE loa_service IS 'Makes the schema, role and runtime tables of one service.';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;
