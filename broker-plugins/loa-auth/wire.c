#include "wire.h"

#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/envelope.pb-c.h"

static bool copy(char *to, size_t cap, const char *from)
{
    size_t len = strlen(from);

    if (len >= cap)
        return false;
    memcpy(to, from, len + 1);
    return true;
}

int wire_login_parse(struct loa_arena *arena,
                     struct loa_bytes p,
                     struct wire_login *login)
{
    Loa__V1__Login *m =
        loa__v1__login__unpack(&arena->allocator, p.len, p.data);
    bool good;

    if (m == NULL)
        return LOA_EINVAL;
    good = copy(login->broker, sizeof login->broker, m->broker) &&
           copy(login->client_id, sizeof login->client_id, m->client_id);
    loa__v1__login__free_unpacked(m, &arena->allocator);
    return good ? LOA_OK : LOA_EINVAL;
}

bool wire_state_is_lost(struct loa_arena *arena, struct loa_bytes p)
{
    Loa__V1__State *m =
        loa__v1__state__unpack(&arena->allocator, p.len, p.data);
    bool lost;

    if (m == NULL)
        return false;
    lost = m->presence == LOA__V1__PRESENCE__PRESENCE_LOST;
    loa__v1__state__free_unpacked(m, &arena->allocator);
    return lost;
}

uint64_t wire_trust_number(struct loa_arena *arena, struct loa_bytes p)
{
    Loa__V1__TrustList *m =
        loa__v1__trust_list__unpack(&arena->allocator, p.len, p.data);
    uint64_t number;

    if (m == NULL)
        return 0;
    number = m->number;
    loa__v1__trust_list__free_unpacked(m, &arena->allocator);
    return number;
}
