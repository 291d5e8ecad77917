#include "content-ingest/io_list.h"

#include <string.h>

#include "content-ingest/io_reply.h"
#include "loa/v1/services.pb-c.h"

/* Of what one answer may have, some is kept back for what surrounds. */
#define ANSWER_LEN_MAX (RPC_ANSWER_MAX - 256)

struct list_item {
    Loa__V1__Content content;
    ProtobufCBinaryData approvals[CONTENT_APPROVALS_MAX];
    char areas[CONTENT_NEEDED_MAX * LOA_AREA_CAP];
    char *needed_by[CONTENT_NEEDED_MAX];
    char revoked[CONTENT_APPROVALS_MAX][LOA_PRINCIPAL_CAP];
    char *revoked_approvers[CONTENT_APPROVALS_MAX];
};

static ProtobufCBinaryData bytes(const PGresult *res, int row, int col)
{
    size_t len;
    const void *data = pg_get_bytes(res, row, col, &len);

    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static char *text(const PGresult *res, int row, int col)
{
    return (char *)(uintptr_t)pg_get_text(res, row, col, NULL);
}

static void split_areas(struct list_item *item, const char *areas)
{
    char *rest = item->areas, *area;
    size_t len = strlen(areas);

    if (len >= sizeof item->areas)
        len = sizeof item->areas - 1;
    memcpy(item->areas, areas, len);
    item->areas[len] = '\0';
    item->content.needed_by = item->needed_by;
    while ((area = strsep(&rest, " ")) != NULL &&
           item->content.n_needed_by < CONTENT_NEEDED_MAX)
        if (*area != '\0')
            item->needed_by[item->content.n_needed_by++] = area;
}

static bool same(const PGresult *res, int a, int b)
{
    return memcmp(bytes(res, a, 0).data, bytes(res, b, 0).data,
                  LOA_HASH_BYTES) == 0;
}

bool list_revoked(struct contents *s,
                  struct loa_bytes approval,
                  char principal[LOA_PRINCIPAL_CAP])
{
    struct loa_certificate leaf = {.principal = ""};
    struct loa_envelope e;
    enum loa_verdict v;

    principal[0] = '\0';
    loa_arena_reset(s->arena);
    if (loa_envelope_parse(s->arena, approval, &e) != LOA_OK ||
        e.signatures_n == 0)
        return true;
    v = loa_trust_chain(&s->trust->trust, e.signatures[0].key, e.certificates,
                        e.certificates_n, 0, false, &leaf);
    memcpy(principal, leaf.principal, LOA_PRINCIPAL_CAP);
    return v == LOA_VERDICT_REVOKED;
}

/* Each name once. */
static void tell_revoked(struct list_item *item, const char *principal)
{
    Loa__V1__Content *c = &item->content;
    size_t n = c->n_revoked_approvers;

    if (*principal == '\0' || n == CONTENT_APPROVALS_MAX)
        return;
    for (size_t i = 0; i < n; i++)
        if (strcmp(item->revoked[i], principal) == 0)
            return;
    memcpy(item->revoked[n], principal, LOA_PRINCIPAL_CAP);
    item->revoked_approvers[n] = item->revoked[n];
    c->n_revoked_approvers++;
}

/* Read the content whose first row is `row`; returns the row behind its last.
 */
static int read_item(struct contents *s,
                     const PGresult *res,
                     int row,
                     struct list_item *item)
{
    Loa__V1__Content *c = &item->content;
    int first = row;

    memset(item, 0, sizeof *item);
    loa__v1__content__init(c);
    c->content_hash = bytes(res, row, 0);
    c->manifest = bytes(res, row, 1);
    c->area = text(res, row, 2);
    c->submitted_by = text(res, row, 3);
    c->submitted_at_ms =
        pg_is_null(res, row, 4) ? 0 : pg_get_time_ms(res, row, 4);
    c->deleting = pg_get_bool(res, row, 5);
    c->approvals = item->approvals;
    c->revoked_approvers = item->revoked_approvers;
    split_areas(item, pg_get_text(res, row, 7, NULL));
    for (; row < PQntuples(res) && same(res, first, row); row++) {
        char principal[LOA_PRINCIPAL_CAP];
        ProtobufCBinaryData a;

        if (pg_is_null(res, row, 8) || c->n_approvals == CONTENT_APPROVALS_MAX)
            continue;
        a = bytes(res, row, 8);
        if (list_revoked(s, (struct loa_bytes){a.data, a.len}, principal))
            tell_revoked(item, principal);
        else
            c->approvals[c->n_approvals++] = a;
    }
    return row;
}

void list_answer(struct contents *s,
                 struct rpc_call *call,
                 const PGresult *res,
                 unsigned limit)
{
    static struct list_item items[FIND_LIMIT_MAX];
    Loa__V1__Content *contents[FIND_LIMIT_MAX];
    Loa__V1__ContentAnswer a = LOA__V1__CONTENT_ANSWER__INIT;
    Loa__V1__Status ok = LOA__V1__STATUS__INIT;
    char next[WIRE_CURSOR_CAP];
    size_t n = 0, len = 0;
    int row = 0, last = 0;

    while (row < PQntuples(res) && n < limit) {
        struct list_item *item = &items[n];
        int behind = read_item(s, res, row, item);

        len += loa__v1__content__get_packed_size(&item->content) + 8;
        if (len > ANSWER_LEN_MAX && n > 0)
            break;
        contents[n++] = &item->content;
        last = row;
        row = behind;
    }
    a.status = &ok;
    a.n_contents = n;
    a.contents = contents;
    if (row < PQntuples(res) && n > 0) {
        wire_cursor(pg_get_i64(res, last, 6), bytes(res, last, 0).data, next);
        a.next = next;
    }
    rpc_answer(call, &a.base);
}
