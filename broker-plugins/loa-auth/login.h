/* login.h -- is this user name, client id and password a session?
 *
 * The password is base64url of a LOGIN envelope: it names the broker and the
 * client id, and is signed by the key of the certificate that it carries. What
 * the session may do follows from that certificate. */

#ifndef LOA_AUTH_LOGIN_H
#define LOA_AUTH_LOGIN_H

#include "seen.h"
#include "session.h"
#include "wire.h"

/* As libmosquitto's owner sends it, without the NUL. */
#define LOGIN_PASSWORD_LEN_MAX 8191

/* A device that is not enrolled has this long, then logs in again. */
#define LOGIN_ENROL_MS 120000

struct login_rules {
    char broker[WIRE_BROKER_CAP];
    int64_t window_ms; /* Signed time may be off by this much. */
};

struct login_request {
    const void *client;
    const char *client_id; /* NULL: none. */
    const char *user;      /* NULL: anonymous. */
    const char *password;  /* NULL: none. */
    int64_t now_ms;        /* Wall time. */
};

struct login_judge {
    struct login_rules rules;
    struct loa_trust *trust;
    struct loa_arena *arena; /* 64 KB; reset at each login. */
    struct seen *seen;
};

/* NULL and *s filled for session_add(), or why not: a fixed word for the log
 * ("anonymous", "client-id", "wrong-broker", "time", "repeated", or the name of
 * a loa_verdict). A login that is accepted is used up. */
LOA_MUST_CHECK const char *login_judge(const struct login_judge *l,
                                       const struct login_request *r,
                                       struct session *s);

#endif /* LOA_AUTH_LOGIN_H */
