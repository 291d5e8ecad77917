/* topic.h -- the topic tree: build, parse, match.
 *
 *     loa/1/<plane>/<kind>/<area path...>[/@<principal>]
 *
 * Kind stands before area, so that loa/1/down/alert/vn/08/# is a subtree at any
 * depth. Nothing but this module writes or reads a topic. docs/topics.md has
 * the table of who may do what. */

#ifndef LOA_PROTO_TOPIC_H
#define LOA_PROTO_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

#define LOA_AREA_DEPTH_MAX 8   /* Segments of an area path. */
#define LOA_SEGMENT_LEN_MAX 16 /* [A-Za-z0-9_], also a label of ltree. */
#define LOA_AREA_CAP 136       /* 8 * 16 + 7 and the NUL. */
#define LOA_PRINCIPAL_CAP 33   /* [A-Za-z0-9_]{1,32} and the NUL. */
#define LOA_CLIENT_CAP 66      /* principal "-" [A-Za-z0-9_]{1,32}, NUL. */
#define LOA_KIND_CAP 25        /* [a-z-]{1,24} and the NUL. */
#define LOA_TOPIC_CAP 224      /* The longest topic and the NUL fit. */

enum loa_plane {
    LOA_PLANE_DOWN, /* To devices. */
    LOA_PLANE_UP,   /* From devices and citizens. */
    LOA_PLANE_RPC,  /* Requests; kind is the service, or "reply". */
    LOA_PLANE_PUB,  /* For the public and dashboards. */
    LOA_PLANE_LINK, /* Between tiers. */
    LOA_PLANES_N,
};

/* A topic taken apart. Strings are copies and end with NUL. */
struct loa_topic {
    enum loa_plane plane;
    char kind[LOA_KIND_CAP];
    char area[LOA_AREA_CAP];
    char principal[LOA_PRINCIPAL_CAP]; /* "" if the topic names nobody. */
};

/* The principal of a device that is not enrolled yet; see EnrolRequest. Its
 * area path is "enrol". */
#define LOA_ENROL_AREA "enrol"
#define LOA_ENROL_PREFIX "enrol_"

/* Is s a well-formed area path ("vn/08/070"), principal, kind, client id? */
bool loa_area_valid(const char *s);
bool loa_principal_valid(const char *s);
bool loa_kind_valid(const char *s);

/* Is client a client id of principal: the same, or the same "-" suffix? With
 * exact, only the same. */
bool loa_client_valid(const char *client, const char *principal, bool exact);

/* Is area `inner` the same as `outer` or below it? Both well formed. */
bool loa_area_within(const char *inner, const char *outer);

/* Number of segments of a well-formed area path. */
size_t loa_area_depth(const char *area);

/* The first `depth` segments of area into out[LOA_AREA_CAP]; depth is 1..
 * loa_area_depth(area). */
void loa_area_prefix(const char *area, size_t depth, char out[LOA_AREA_CAP]);

/* Write the topic into buf[cap]. principal may be NULL or "".
 * LOA_EINVAL: a part is malformed. LOA_ENOSPC: cap is too small. */
LOA_MUST_CHECK int loa_topic_build(char *buf,
                                   size_t cap,
                                   enum loa_plane plane,
                                   const char *kind,
                                   const char *area,
                                   const char *principal);

/* Take a topic apart. LOA_EINVAL: not one of ours; the message is dropped. */
LOA_MUST_CHECK int loa_topic_parse(const char *topic, struct loa_topic *t);

/* A subscription filter taken apart. Only filters of this shape exist:
 *     loa/1/<plane>/<kind or +>/<area path>[/@<principal>]
 *     loa/1/<plane>/<kind or +>/<area path>/#
 * so a filter always lies within one area. */
struct loa_filter {
    enum loa_plane plane;
    char kind[LOA_KIND_CAP]; /* "" is "+". */
    char area[LOA_AREA_CAP];
    char principal[LOA_PRINCIPAL_CAP]; /* "" if none. */
    bool subtree;                      /* Ended with "/#". */
};

/* LOA_EINVAL: another shape ("#", "+/+", "$share/...", "loa/1/#"...); the
 * subscription is refused. */
LOA_MUST_CHECK int loa_filter_parse(const char *filter, struct loa_filter *f);

/* Does the filter match the topic, by the rules of MQTT 5 section 4.7? */
bool loa_filter_matches(const struct loa_filter *f, const struct loa_topic *t);

/* "down", "up", ...; static. */
const char *loa_plane_name(enum loa_plane plane);

#endif /* LOA_PROTO_TOPIC_H */
