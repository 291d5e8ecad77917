#include "scheduler/sync.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "proto/text.h"

size_t sync_request(uint64_t since,
                    const char *after,
                    uint8_t buf[SYNC_REQUEST_MAX])
{
    Loa__V1__RegistryRequest m = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__AreaSync sync = LOA__V1__AREA_SYNC__INIT;

    sync.since_version = since;
    sync.after = (char *)(uintptr_t)after;
    m.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_AREA_SYNC;
    m.area_sync = &sync;
    assert(loa__v1__registry_request__get_packed_size(&m) <= SYNC_REQUEST_MAX);
    return loa__v1__registry_request__pack(&m, buf);
}

static bool copy_line(char *out, size_t cap, const char *text)
{
    size_t len = strlen(text);

    if (len >= cap || !loa_line_valid(text, cap - 1))
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool take_row(const Loa__V1__Area *m, struct sync_area *row)
{
    if (!loa_area_valid(m->path) || m->valid_from_ms < 0 ||
        m->valid_until_ms < 0 || m->version > INT64_MAX)
        return false;
    memcpy(row->area.path, m->path, strlen(m->path) + 1);
    row->area.valid.from_ms = m->valid_from_ms;
    row->area.valid.until_ms = m->valid_until_ms;
    row->tier = (int)m->tier;
    row->version = m->version;
    return copy_line(row->code, sizeof row->code, m->code) &&
           copy_line(row->name, sizeof row->name, m->name);
}

int sync_answer(struct loa_arena *arena,
                struct loa_bytes body,
                struct sync_page *page,
                char why[SAY_CAP])
{
    Loa__V1__RegistryAnswer *m;

    loa_arena_reset(arena);
    m = loa__v1__registry_answer__unpack(&arena->allocator, body.len,
                                         body.data);
    if (m == NULL || m->status == NULL)
        return LOA_EINVAL;
    if (m->status->code != LOA__V1__STATUS__CODE__CODE_OK) {
        snprintf(why, SAY_CAP, "%s", m->status->text_en);
        return LOA_EACCES;
    }
    if (m->n_areas > SYNC_ROWS_MAX || m->version > INT64_MAX ||
        !copy_line(page->next, sizeof page->next, m->next))
        return LOA_EINVAL;
    for (size_t i = 0; i < m->n_areas; i++)
        if (!take_row(m->areas[i], &page->rows[i]))
            return LOA_EINVAL;
    page->rows_n = (uint32_t)m->n_areas;
    page->version = m->version;
    return LOA_OK;
}
