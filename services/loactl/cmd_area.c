/* cmd_area.c -- the administrative tree: import, list, find. */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/pages.h"

#define PART_BYTES 48000
#define PARTS_MAX 64
#define FILE_BYTES_MAX ((size_t)PART_BYTES * PARTS_MAX)

/* The whole file in memory; NULL after a sentence. */
static uint8_t *read_file(const struct ctl *c, const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(FILE_BYTES_MAX + 1);

    if (f == NULL || data == NULL) {
        ctl_fail_errno(c, 0, path);
        goto err;
    }
    *len = fread(data, 1, FILE_BYTES_MAX + 1, f);
    if (ferror(f)) {
        ctl_fail_errno(c, 0, path);
        goto err;
    }
    if (*len == 0 || *len > FILE_BYTES_MAX) {
        ctl_fail(c, 0, "%s: tệp rỗng hoặc lớn hơn %zu byte",
                 "%s: the file is empty or larger than %zu bytes", path,
                 FILE_BYTES_MAX);
        goto err;
    }
    /* A sound, a spreadsheet, UTF-16. Of letters in another encoding the
     * registry says the line. */
    if (memchr(data, '\0', *len) != NULL) {
        ctl_fail(c, 0,
                 "%s: không phải tệp văn bản CSV; hãy lưu bảng dạng CSV UTF-8",
                 "%s: not a CSV text file; save the table as CSV UTF-8", path);
        goto err;
    }
    fclose(f);
    return data;

err:
    if (f != NULL)
        fclose(f);
    free(data);
    return NULL;
}

static void print_import(const struct ctl *c, const Loa__V1__RegistryAnswer *a)
{
    if (c->json)
        out_json(json_pack("{s:i,s:i,s:i,s:I}", "added", (int)a->added_n,
                           "changed", (int)a->changed_n, "unchanged",
                           (int)a->unchanged_n, "version",
                           (json_int_t)a->version));
    else
        printf(c->english ? "%u added, %u changed, %u as they were\n"
                          : "%u thêm, %u đổi, %u giữ nguyên\n",
               a->added_n, a->changed_n, a->unchanged_n);
}

static int run_import(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__AreaImport part = LOA__V1__AREA_IMPORT__INIT;
    uint8_t id[LOA_ID_BYTES];
    size_t len;
    uint8_t *data = read_file(c, c->positionals[0], &len);
    int rc = CTL_OK;

    if (data == NULL)
        return CTL_USAGE;
    randombytes_buf(id, sizeof id);
    part.import_id = (ProtobufCBinaryData){sizeof id, id};
    part.parts_n = (uint32_t)((len + PART_BYTES - 1) / PART_BYTES);
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_AREA_IMPORT;
    q.area_import = &part;
    for (part.part = 0; rc == CTL_OK && part.part < part.parts_n; part.part++) {
        size_t at = (size_t)part.part * PART_BYTES;
        ProtobufCMessage *m;
        part.csv.data = data + at;
        part.csv.len = len - at < PART_BYTES ? len - at : PART_BYTES;
        rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
        out_progress(c, "import", 1000 * (part.part + 1) / part.parts_n);
        if (rc == CTL_OK && part.part + 1 == part.parts_n)
            print_import(c, (Loa__V1__RegistryAnswer *)m);
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    }
    free(data);
    return rc;
}

static const char *tier_name(const struct ctl *c, Loa__V1__Tier tier)
{
    static const char *const vi[] = {"-",     "trung ương", "tỉnh",
                                     "huyện", "xã",         "thôn"};
    static const char *const en[] = {"-",        "central", "province",
                                     "district", "commune", "hamlet"};

    if ((unsigned)tier >= sizeof vi / sizeof vi[0])
        return "?";
    return c->english || c->json ? en[tier] : vi[tier];
}

static json_t *area_json(const struct ctl *c, const Loa__V1__Area *a)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o}", "path", a->path, "code",
                     a->code, "name", a->name, "tier", tier_name(c, a->tier),
                     "valid_from_ms", json_time(a->valid_from_ms),
                     "valid_until_ms", json_time(a->valid_until_ms));
}

static void add_areas(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__RegistryAnswer *a = (const Loa__V1__RegistryAnswer *)m;
    struct pages_list *l = data;

    for (size_t i = 0; i < a->n_areas; i++) {
        json_array_append_new(l->rows, area_json(l->c, a->areas[i]));
        table_row(&l->table, a->areas[i]->path, a->areas[i]->code,
                  tier_name(l->c, a->areas[i]->tier), a->areas[i]->name);
    }
}

static int find_areas(struct ctl *c, Loa__V1__AreaFind *find)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    struct pages_list l = {.c = c, .rows = json_array()};
    struct pages p = {.service = LINK_REGISTRY,
                      .request = &q.base,
                      .each = add_areas,
                      .data = &l};

    table_init(&l.table, 4, c->english ? "PATH" : "ĐƯỜNG DẪN",
               c->english ? "CODE" : "MÃ", c->english ? "TIER" : "CẤP",
               c->english ? "NAME" : "TÊN");
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_AREA_FIND;
    q.area_find = find;
    find->after = p.after;
    return pages_print(&l, pages_ask(c, &p), "không có địa bàn nào",
                       "there is no area");
}

static int run_ls(struct ctl *c)
{
    Loa__V1__AreaFind find = LOA__V1__AREA_FIND__INIT;
    char under[LOA_AREA_CAP];
    int rc;

    rc = link_area_given(c, under);
    if (rc != CTL_OK)
        return rc;
    find.under = under;
    find.children_only = ctl_option(c, "all") == NULL;
    find.limit = 200;
    return find_areas(c, &find);
}

static int run_find(struct ctl *c)
{
    Loa__V1__AreaFind find = LOA__V1__AREA_FIND__INIT;

    find.text = (char *)c->positionals[0];
    find.limit = 100;
    return find_areas(c, &find);
}

static const struct option_def ls_options[] = {
    {"all", NULL, "everything below, not only the next tier"},
    {NULL, NULL, NULL},
};

const struct command commands_area[] = {
    {"area", "import", "FILE", "take areas from a CSV: code,parent,tier,name",
     "loactl --identity registrar.id area import areas.csv", NULL, 1, 1,
     run_import},
    {"area", "ls", "[AREA]", "the areas below one", "loactl area ls vn/08",
     ls_options, 0, 1, run_ls},
    {"area", "find", "TEXT",
     "by path, code or name, with or without diacritics",
     "loactl area find 'tuyen quang'", NULL, 1, 1, run_find},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
