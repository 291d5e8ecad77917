#include "content-ingest/io_signers.h"

#include "proto/io/log.h"

enum {
    STMT_UNUSED,
    STMT_LOAD,
    STMT_GONE,
    STMT_PUT,
};

static const struct pg_stmt stmts[] = {
    [STMT_UNUSED] = {"signer_unused",
                     "DELETE FROM signer s WHERE NOT EXISTS"
                     " (SELECT FROM programme p WHERE p.signer = s.key)",
                     0, PG_NONE, false},
    [STMT_LOAD] = {"signer_load", "SELECT key, chain FROM signer", 0, PG_ROWS,
                   true},
    /* Its programmes go with it, and what they need. */
    [STMT_GONE] = {"signer_gone", "DELETE FROM signer WHERE key = $1", 1,
                   PG_NONE, false},
    [STMT_PUT] = {"signer_put",
                  "INSERT INTO signer (key, chain) VALUES ($1, $2)"
                  " ON CONFLICT (key) DO UPDATE SET chain = excluded.chain"
                  " WHERE signer.chain <> excluded.chain",
                  2, PG_NONE, false},
};

static int load_one(struct pg *pg,
                    struct signers *signers,
                    struct loa_trust *trust,
                    const uint8_t *key,
                    struct loa_bytes chain)
{
    struct pg_value value = pg_bytes(key, LOA_KEY_BYTES);
    uint32_t row = SIGNER_NONE;

    if (chain.len <= SIGNER_CHAIN_BYTES_MAX)
        row = signers_put(signers, key, chain, UINT64_MAX);
    if (row == SIGNER_NONE || signers_hold(signers, row, trust))
        return LOA_OK; /* Whom there is no room for is known when heard. */
    signers_drop(signers, row);
    log_info("programme.forgotten", "text=its signer was revoked");
    return pg_query_now(pg, &stmts[STMT_GONE], &value, NULL);
}

int signers_io_open(struct pg *pg,
                    struct signers *signers,
                    struct loa_trust *trust)
{
    int rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);
    PGresult *res;

    if (rv == LOA_OK)
        rv = pg_query_now(pg, &stmts[STMT_UNUSED], NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query_now(pg, &stmts[STMT_LOAD], NULL, &res);
    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++) {
        struct loa_bytes chain;
        size_t len;
        const uint8_t *key = pg_get_bytes(res, i, 0, &len);

        chain.data = pg_get_bytes(res, i, 1, &chain.len);
        rv = load_one(pg, signers, trust, key, chain);
    }
    PQclear(res);
    return rv;
}

int signers_io_save(struct pg *pg, const struct signer *r)
{
    struct pg_value values[] = {pg_bytes(r->key, LOA_KEY_BYTES),
                                pg_bytes(r->chain, r->chain_len)};

    return pg_query(pg, &stmts[STMT_PUT], values, NULL, NULL);
}
