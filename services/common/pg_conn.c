#include "common/pg_conn.h"

#include <string.h>

#include "proto/io/log.h"

int pg_first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

static void on_notice(void *data, const PGresult *res)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    (void)data;
    log_debug("pg.notice", "text=%s", text == NULL ? "" : text);
}

/* "name", public -- as a value, quoted by the server's own rules. */
static int set_schema(PGconn *conn, const char *schema)
{
    const char *values[] = {schema};
    PGresult *res = PQexecParams(conn,
                                 "SELECT set_config('search_path', "
                                 "quote_ident($1) || ', public', false)",
                                 1, NULL, values, NULL, NULL, 0);
    int rv = PQresultStatus(res) == PGRES_TUPLES_OK ? LOA_OK : LOA_EDB;

    if (rv != LOA_OK)
        log_error("pg.schema", "schema=%s text=%.*s", schema,
                  pg_first_line(PQerrorMessage(conn)), PQerrorMessage(conn));
    PQclear(res);
    return rv;
}

PGconn *pg_conn_open(const struct pg_conf *conf, int *rv)
{
    /* Those before dbname are defaults, which conninfo may set anew. */
    const char *keys[] = {"connect_timeout",           "tcp_user_timeout",
                          "fallback_application_name", "dbname",
                          "client_encoding",           NULL};
    const char *values[] = {"10",           "10000", conf->name,
                            conf->conninfo, "UTF8",  NULL};
    PGconn *conn = PQconnectdbParams(keys, values, 1);

    *rv = LOA_OK;
    if (PQstatus(conn) != CONNECTION_OK) {
        log_error("pg.connect", "text=%.*s",
                  pg_first_line(PQerrorMessage(conn)), PQerrorMessage(conn));
        *rv = LOA_ENOTCONN;
    } else if (conf->schema != NULL) {
        *rv = set_schema(conn, conf->schema);
    }
    if (*rv != LOA_OK) {
        PQfinish(conn);
        return NULL;
    }
    PQsetNoticeReceiver(conn, on_notice, NULL);
    return conn;
}
