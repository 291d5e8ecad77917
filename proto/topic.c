#include "proto/topic.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TOPIC_PREFIX "loa/1/"
#define PRINCIPAL_LEN_MAX (LOA_PRINCIPAL_CAP - 1)
#define KIND_LEN_MAX (LOA_KIND_CAP - 1)

static const char *const plane_names[LOA_PLANES_N] = {
    [LOA_PLANE_DOWN] = "down", [LOA_PLANE_UP] = "up",
    [LOA_PLANE_RPC] = "rpc",   [LOA_PLANE_PUB] = "pub",
    [LOA_PLANE_LINK] = "link",
};

const char *loa_plane_name(enum loa_plane plane)
{
    assert(plane < LOA_PLANES_N);
    return plane_names[plane];
}

/* --- words, the same in every locale ----------------------------------------
 */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* How many characters from s on belong to a word. */
static size_t word_len(const char *s)
{
    size_t n = 0;

    while (is_word(s[n]))
        n++;
    return n;
}

static size_t kind_len(const char *s)
{
    size_t n = 0;

    while ((s[n] >= 'a' && s[n] <= 'z') || s[n] == '-')
        n++;
    return n;
}

/* The length of the area path that s begins with, or 0 if there is none. Stops
 * before a "/" that no segment follows. */
static size_t area_len(const char *s)
{
    size_t len = 0;

    for (size_t depth = 0; depth < LOA_AREA_DEPTH_MAX; depth++) {
        size_t at = depth == 0 ? 0 : len + 1;
        size_t n;

        if (depth > 0 && s[len] != '/')
            break;
        n = word_len(s + at);
        if (n == 0)
            break;
        if (n > LOA_SEGMENT_LEN_MAX)
            return 0;
        len = at + n;
    }
    return len;
}

bool loa_area_valid(const char *s)
{
    size_t len = area_len(s);

    return len > 0 && s[len] == '\0';
}

bool loa_principal_valid(const char *s)
{
    size_t len = word_len(s);

    return len > 0 && len <= PRINCIPAL_LEN_MAX && s[len] == '\0';
}

bool loa_kind_valid(const char *s)
{
    size_t len = kind_len(s);

    return len > 0 && len <= KIND_LEN_MAX && s[len] == '\0';
}

bool loa_client_valid(const char *client, const char *principal, bool exact)
{
    size_t len = strlen(principal);

    if (!loa_principal_valid(principal) || strncmp(client, principal, len) != 0)
        return false;
    if (client[len] == '\0')
        return true;
    return !exact && client[len] == '-' &&
           loa_principal_valid(client + len + 1);
}

bool loa_area_within(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    return strncmp(inner, outer, len) == 0 &&
           (inner[len] == '\0' || inner[len] == '/');
}

size_t loa_area_depth(const char *area)
{
    size_t depth = 1;

    for (; *area != '\0'; area++)
        depth += *area == '/';
    return depth;
}

void loa_area_prefix(const char *area, size_t depth, char out[LOA_AREA_CAP])
{
    size_t len = 0;

    assert(depth >= 1 && loa_area_valid(area));
    while (area[len] != '\0' && (area[len] != '/' || --depth > 0)) {
        out[len] = area[len];
        len++;
    }
    out[len] = '\0';
}

/* --- topics --------------------------------------------------------------- */

int loa_topic_build(char *buf,
                    size_t cap,
                    enum loa_plane plane,
                    const char *kind,
                    const char *area,
                    const char *principal)
{
    bool named = principal != NULL && principal[0] != '\0';
    int n;

    if (plane >= LOA_PLANES_N || !loa_kind_valid(kind) ||
        !loa_area_valid(area) || (named && !loa_principal_valid(principal)))
        return LOA_EINVAL;
    n = snprintf(buf, cap, TOPIC_PREFIX "%s/%s/%s%s%s", plane_names[plane],
                 kind, area, named ? "/@" : "", named ? principal : "");
    return n >= 0 && (size_t)n < cap ? LOA_OK : LOA_ENOSPC;
}

/* What topics and filters share: everything before what follows the area. */
struct head {
    enum loa_plane plane;
    char kind[LOA_KIND_CAP];
    char area[LOA_AREA_CAP];
};

static void copy(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    to[len] = '\0';
}

/* Reads "<plane>/" at *s and steps over it. */
static int plane_parse(const char **s, enum loa_plane *plane)
{
    for (int p = 0; p < LOA_PLANES_N; p++) {
        size_t len = strlen(plane_names[p]);
        if (strncmp(*s, plane_names[p], len) == 0 && (*s)[len] == '/') {
            *plane = (enum loa_plane)p;
            *s += len + 1;
            return LOA_OK;
        }
    }
    return LOA_EINVAL;
}

/* Reads up to the end of the area; *rest is what follows it. With plus, the
 * kind may be "+", which becomes "". */
static int head_parse(const char *s,
                      bool plus,
                      struct head *h,
                      const char **rest)
{
    size_t len = sizeof TOPIC_PREFIX - 1;

    if (strncmp(s, TOPIC_PREFIX, len) != 0)
        return LOA_EINVAL;
    s += len;
    if (plane_parse(&s, &h->plane) != LOA_OK)
        return LOA_EINVAL;

    len = kind_len(s);
    if (len > KIND_LEN_MAX)
        return LOA_EINVAL;
    copy(h->kind, s, len);
    if (len == 0) {
        if (!plus || *s != '+')
            return LOA_EINVAL;
        len = 1;
    }
    if (s[len] != '/')
        return LOA_EINVAL;
    s += len + 1;

    len = area_len(s);
    if (len == 0)
        return LOA_EINVAL;
    copy(h->area, s, len);
    *rest = s + len;
    return LOA_OK;
}

/* Reads "" or "/@<principal>" up to the end of the text. */
static int principal_parse(const char *s, char out[LOA_PRINCIPAL_CAP])
{
    memset(out, 0, LOA_PRINCIPAL_CAP);
    if (s[0] == '\0')
        return LOA_OK;
    if (s[0] != '/' || s[1] != '@' || !loa_principal_valid(s + 2))
        return LOA_EINVAL;
    copy(out, s + 2, strlen(s + 2));
    return LOA_OK;
}

int loa_topic_parse(const char *topic, struct loa_topic *t)
{
    struct head h = {0};
    const char *rest;

    if (head_parse(topic, false, &h, &rest) != LOA_OK)
        return LOA_EINVAL;
    t->plane = h.plane;
    memcpy(t->kind, h.kind, sizeof t->kind);
    memcpy(t->area, h.area, sizeof t->area);
    return principal_parse(rest, t->principal);
}

int loa_filter_parse(const char *filter, struct loa_filter *f)
{
    struct head h = {0};
    const char *rest;

    if (head_parse(filter, true, &h, &rest) != LOA_OK)
        return LOA_EINVAL;
    f->plane = h.plane;
    memcpy(f->kind, h.kind, sizeof f->kind);
    memcpy(f->area, h.area, sizeof f->area);
    f->subtree = strcmp(rest, "/#") == 0;
    return principal_parse(f->subtree ? "" : rest, f->principal);
}

bool loa_filter_matches(const struct loa_filter *f, const struct loa_topic *t)
{
    if (f->plane != t->plane)
        return false;
    if (f->kind[0] != '\0' && strcmp(f->kind, t->kind) != 0)
        return false;
    /* "#" stands for the level before it too, so the area itself matches. */
    if (f->subtree)
        return loa_area_within(t->area, f->area);
    return strcmp(f->area, t->area) == 0 &&
           strcmp(f->principal, t->principal) == 0;
}
