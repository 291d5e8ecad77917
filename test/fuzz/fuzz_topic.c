/* link: */
/* Properties: what is parsed is built again byte for byte; what is built is
 * parsed again; a filter matches exactly what MQTT's rules on the plain texts
 * say, and never outside of its area. The input is a topic, NUL, a filter. */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define TEXT_LEN_MAX 512

/* MQTT 5 section 4.7, level by level. */
static bool mqtt_matches(const char *filter, const char *topic)
{
    for (;;) {
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");

        if (f == 1 && filter[0] == '#')
            return true;
        if (!(f == 1 && filter[0] == '+') &&
            (f != t || strncmp(filter, topic, f) != 0))
            return false;
        filter += f;
        topic += t;
        if (*topic == '\0')
            return *filter == '\0' || strcmp(filter, "/#") == 0;
        if (*filter == '\0')
            return false;
        filter++;
        topic++;
    }
}

static void check_topic(const char *text, const struct loa_topic *t)
{
    char again[LOA_TOPIC_CAP], prefix[LOA_AREA_CAP];
    size_t depth = loa_area_depth(t->area);

    assert(loa_topic_build(again, sizeof again, t->plane, t->kind, t->area,
                           t->principal) == LOA_OK);
    assert(strcmp(again, text) == 0);
    assert(loa_kind_valid(t->kind) && loa_area_valid(t->area));
    assert(t->principal[0] == '\0' || loa_principal_valid(t->principal));
    assert(strpbrk(text, "+#$") == NULL);
    assert(depth >= 1 && depth <= LOA_AREA_DEPTH_MAX);
    for (size_t d = 1; d <= depth; d++) {
        loa_area_prefix(t->area, d, prefix);
        assert(loa_area_valid(prefix) && loa_area_depth(prefix) == d);
        assert(loa_area_within(t->area, prefix));
        assert(loa_area_within(prefix, t->area) == (d == depth));
    }
}

static void check_filter(const char *text, const struct loa_filter *f)
{
    char again[2 * LOA_TOPIC_CAP];

    (void)snprintf(again, sizeof again, "loa/1/%s/%s/%s%s%s%s",
                   loa_plane_name(f->plane), f->kind[0] ? f->kind : "+",
                   f->area, f->principal[0] ? "/@" : "", f->principal,
                   f->subtree ? "/#" : "");
    assert(strcmp(again, text) == 0);
    assert(!f->subtree || f->principal[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char topic[TEXT_LEN_MAX + 1], filter[TEXT_LEN_MAX + 1];
    struct loa_topic t;
    struct loa_filter f;
    size_t at;
    bool topic_ok, filter_ok;

    if (len > TEXT_LEN_MAX)
        return 0;
    memcpy(topic, data, len);
    topic[len] = '\0';
    at = strlen(topic);
    memcpy(filter, topic + (at < len ? at + 1 : at), len - at);
    filter[at < len ? len - at - 1 : 0] = '\0';

    topic_ok = loa_topic_parse(topic, &t) == LOA_OK;
    filter_ok = loa_filter_parse(filter, &f) == LOA_OK;
    if (topic_ok)
        check_topic(topic, &t);
    if (filter_ok)
        check_filter(filter, &f);
    if (topic_ok && filter_ok) {
        bool matches = loa_filter_matches(&f, &t);
        assert(matches == mqtt_matches(filter, topic));
        assert(!matches || loa_area_within(t.area, f.area));
    }
    /* A topic is its own filter; no filter with a wildcard is a topic. */
    if (topic_ok && loa_filter_parse(topic, &f) == LOA_OK)
        assert(loa_filter_matches(&f, &t));
    (void)loa_client_valid(topic, filter, (len & 1) != 0);
    return 0;
}
