#include "loactl/pages.h"

#include <stdio.h>
#include <string.h>

/* Every answer that may be continued says where in a field of this name. */
static const char *next_of(const ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "next");
    const char *const *text =
        (const void *)((const uint8_t *)m + (f != NULL ? f->offset : 0));

    return f != NULL ? *text : "";
}

/* Move on to the next page. False: it was the last one; or a service that is
 * not our friend has us turn in circles. */
static bool move_on(char after[PAGES_AFTER_CAP], const char *next)
{
    if (strcmp(next, after) == 0 || strlen(next) >= PAGES_AFTER_CAP)
        next = "";
    memcpy(after, next, strlen(next) + 1);
    return after[0] != '\0';
}

int pages_ask(struct ctl *c, struct pages *p)
{
    bool more = true;
    int rc = CTL_OK;

    p->after[0] = '\0';
    for (int n = 0; rc == CTL_OK && more && n < PAGES_MAX; n++) {
        ProtobufCMessage *m;

        rc = p->within_ms == 0
                 ? link_ask(c, p->service, p->request, &m)
                 : link_try(c, p->service, p->request, p->within_ms, &m);
        if (rc == CTL_OK) {
            p->each(p->data, m);
            more = move_on(p->after, next_of(m));
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    }
    return rc;
}

/* --- lists ---------------------------------------------------------------- */

int pages_print(struct pages_list *l, int rc, const char *vi, const char *en)
{
    struct ctl *c = l->c;
    bool any = json_array_size(l->rows) > 0;

    if (rc == CTL_OK && c->json)
        out_json(json_incref(l->rows));
    else if (rc == CTL_OK && any && l->table.columns_n > 0)
        table_print(c, &l->table);
    if (rc == CTL_OK && !any && vi != NULL)
        ctl_empty(c, vi, en);
    table_free(&l->table);
    json_decref(l->rows);
    return rc;
}
