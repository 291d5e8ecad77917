#include "session.h"

#include <assert.h>
#include <string.h>

typedef size_t (*home_cb)(const struct session *s);

static size_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(x >> 32) & (SESSION_SLOTS_N - 1);
}

static size_t home_client(const void *client)
{
    return mix((uint64_t)(uintptr_t)client >> 4);
}

/* FNV-1a. Ids come from certificates, not from strangers, but for the hex
 * digits of a key: crowding one slot on purpose has SESSIONS_ENROLLING_MAX. */
static size_t home_id(const char *id)
{
    uint64_t x = UINT64_C(0xcbf29ce484222325);

    for (; *id != '\0'; id++)
        x = (x ^ (uint8_t)*id) * UINT64_C(0x100000001b3);
    return mix(x);
}

static size_t row_home_client(const struct session *s)
{
    return home_client(s->client);
}

static size_t row_home_id(const struct session *s)
{
    return home_id(s->client_id);
}

static size_t after(size_t slot)
{
    return (slot + 1) & (SESSION_SLOTS_N - 1);
}

static void index_add(uint32_t *slots, size_t slot, size_t row)
{
    while (slots[slot] != 0)
        slot = after(slot);
    slots[slot] = (uint32_t)row + 1;
}

/* Linear probing without tombstones: whoever stands behind the hole and may
 * stand in it moves up. */
static void index_remove(const struct sessions *t,
                         uint32_t *slots,
                         size_t row,
                         home_cb home)
{
    size_t hole = home(&t->rows[row]);

    while (slots[hole] != row + 1)
        hole = after(hole);
    for (size_t s = after(hole); slots[s] != 0; s = after(s)) {
        size_t h = home(&t->rows[slots[s] - 1]);

        /* Distance from its home to the hole, and to where it is. */
        if (((hole - h) & (SESSION_SLOTS_N - 1)) <
            ((s - h) & (SESSION_SLOTS_N - 1))) {
            slots[hole] = slots[s];
            hole = s;
        }
    }
    slots[hole] = 0;
}

struct session *session_find(struct sessions *t, const void *client)
{
    size_t slot = home_client(client);

    for (; t->by_client[slot] != 0; slot = after(slot)) {
        struct session *s = &t->rows[t->by_client[slot] - 1];

        if (s->client == client)
            return s;
    }
    return NULL;
}

struct session_mark *session_mark(struct sessions *t, const void *client)
{
    struct session_mark *m = &t->marks[t->marks[t->last].follower];

    if (client == NULL || m->client != client) {
        struct session *s = session_find(t, client);

        if (s == NULL)
            return NULL;
        m = &t->marks[s - t->rows];
        t->marks[t->last].follower = (uint32_t)(s - t->rows);
    }
    t->last = (uint32_t)(m - t->marks);
    return m;
}

struct session *session_of(struct sessions *t, const struct session_mark *m)
{
    return &t->rows[m - t->marks];
}

struct session *session_find_id(struct sessions *t, const char *client_id)
{
    size_t slot = home_id(client_id);

    for (; t->by_id[slot] != 0; slot = after(slot)) {
        struct session *s = &t->rows[t->by_id[slot] - 1];

        if (s->state == SESSION_LIVE && strcmp(s->client_id, client_id) == 0)
            return s;
    }
    return NULL;
}

static void count(struct sessions *t, const struct session *s, size_t by)
{
    if (s->state == SESSION_LIVE)
        t->live_n += by;
    else
        t->gone_n += by;
    if (s->who.role == RIGHTS_ROLE_ENROLLING)
        t->enrolling_n += by;
}

static struct session *row_take(struct sessions *t)
{
    if (t->free != 0) {
        struct session *s = &t->rows[t->free - 1];

        t->free = s->next_free;
        return s;
    }
    return t->used_n < SESSIONS_MAX ? &t->rows[t->used_n++] : NULL;
}

static void row_free(struct sessions *t, struct session *s)
{
    size_t row = (size_t)(s - t->rows);

    index_remove(t, t->by_client, row, row_home_client);
    index_remove(t, t->by_id, row, row_home_id);
    count(t, s, (size_t)-1);
    memset(s, 0, sizeof *s);
    t->marks[row].client = NULL;
    t->marks[row].allowed = 0;
    s->next_free = t->free;
    t->free = row + 1;
}

int session_add(struct sessions *t, const struct session *s)
{
    struct session *row;

    session_remove(t, s->client);
    if (s->who.role == RIGHTS_ROLE_ENROLLING &&
        t->enrolling_n == SESSIONS_ENROLLING_MAX)
        return LOA_EBUSY;
    row = row_take(t);
    if (row == NULL)
        return LOA_EBUSY;
    *row = *s;
    row->state = SESSION_LIVE;
    row->revoked = row->kicked = false;
    t->marks[row - t->rows].client = row->client;
    index_add(t->by_client, row_home_client(row), (size_t)(row - t->rows));
    index_add(t->by_id, row_home_id(row), (size_t)(row - t->rows));
    count(t, row, 1);
    return LOA_OK;
}

/* Of an earlier connection of the same client id nothing more can be asked: the
 * broker has done with its will before it let the next one in. Without this,
 * one key that connects and goes, again and again, would fill all rows. */
static void forget_earlier(struct sessions *t, const struct session *s)
{
    size_t slot = home_id(s->client_id);

    for (; t->by_id[slot] != 0; slot = after(slot)) {
        struct session *other = &t->rows[t->by_id[slot] - 1];

        if (other != s && other->state == SESSION_GONE &&
            strcmp(other->client_id, s->client_id) == 0) {
            row_free(t, other);
            return; /* There is never more than one. */
        }
    }
}

void session_gone(struct sessions *t, const void *client, int64_t now_ms)
{
    struct session *s = session_find(t, client);

    if (s == NULL || s->state != SESSION_LIVE)
        return;
    if (!rights_have_will(&s->who)) {
        row_free(t, s);
        return;
    }
    count(t, s, (size_t)-1);
    s->state = SESSION_GONE;
    s->gone_at_ms = now_ms;
    t->marks[s - t->rows].allowed = 0;
    count(t, s, 1);
    forget_earlier(t, s);
}

void session_remove(struct sessions *t, const void *client)
{
    struct session *s = session_find(t, client);

    if (s != NULL)
        row_free(t, s);
}

static bool judge(const struct session *s, const struct loa_trust *trust)
{
    struct loa_certificate link = {0};
    bool revoked = false;

    for (size_t i = 0; i < s->links_n && !revoked; i++) {
        memcpy(link.subject, i == 0 ? s->key : s->links[i - 1].issuer,
               sizeof link.subject);
        memcpy(link.issuer, s->links[i].issuer, sizeof link.issuer);
        link.serial = s->links[i].serial;
        loa_area_prefix(s->who.area, s->links[i].area_depth, link.area);
        revoked = loa_trust_revoked(trust, &link);
    }
    return revoked;
}

bool session_revoked(struct session *s,
                     const struct loa_trust *trust,
                     uint64_t epoch)
{
    if (s->judged_epoch != epoch) {
        s->judged_epoch = epoch;
        s->revoked = judge(s, trust);
    }
    return s->revoked;
}
