/* err.h -- the one error vocabulary of Loa.
 *
 * Every fallible function returns int: 0 (LOA_OK) or one code below. Foreign
 * codes (libuv, libpq, libmosquitto) are translated where they enter and never
 * travel further in. */

#ifndef LOA_PROTO_ERR_H
#define LOA_PROTO_ERR_H

#define LOA_MUST_CHECK __attribute__((warn_unused_result))
#define LOA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define LOA_ERR_MAP(X)                               \
    X(LOA_ENOMEM, "out of memory")                   \
    X(LOA_EINVAL, "malformed or out-of-range input") \
    X(LOA_EBUSY, "no room now, retry later")         \
    X(LOA_ENOTCONN, "not connected")                 \
    X(LOA_EDB, "database refused the statement")     \
    X(LOA_ESHAPE, "answer has the wrong shape")      \
    X(LOA_ESYS, "system or event-loop failure")      \
    X(LOA_ENOSPC, "buffer or disk is too small")     \
    X(LOA_ENOENT, "there is no such thing")          \
    X(LOA_EACCES, "not allowed")                     \
    X(LOA_ESTALE, "too old or already seen")

enum loa_err {
    LOA_OK = 0,
#define X(code, text) code,
    LOA_ERR_MAP(X)
#undef X
};

/* Text for a code; never NULL, static storage. */
const char *loa_strerror(int err);

#endif /* LOA_PROTO_ERR_H */
