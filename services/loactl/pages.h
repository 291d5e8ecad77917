/* pages.h -- answers that come in pages: asked for one after the other, and
 * shown as one list. */

#ifndef LOA_LOACTL_PAGES_H
#define LOA_LOACTL_PAGES_H

#include "loactl/link.h"

#define PAGES_AFTER_CAP 256
#define PAGES_MAX 10000 /* Two million rows; nobody answers for ever. */

struct pages {
    enum link_service service;
    const ProtobufCMessage *request;
    char after[PAGES_AFTER_CAP]; /* The request's own `after` points here. */
    uint64_t within_ms; /* 0: link_ask(). Else link_try() with it, per page. */
    void (*each)(void *data, const ProtobufCMessage *answer);
    void *data;
};

/* Ask until the last page; each() sees every one. As link_ask() or link_try()
 * of the last one asked for. */
int pages_ask(struct ctl *c, struct pages *p);

/* What lists need as data: both forms, of which one is printed. A table without
 * columns is not: its rows were shown as they came. */
struct pages_list {
    struct ctl *c;
    json_t *rows;
    struct table table;
};

/* Print the list unless rc says that it failed; vi, en: what to say of an empty
 * one, or NULL. Frees it, returns rc. */
int pages_print(struct pages_list *l, int rc, const char *vi, const char *en);

#endif /* LOA_LOACTL_PAGES_H */
