#include "proto/identity.h"

#include <stdio.h>
#include <string.h>

#include "loa/v1/envelope.pb-c.h"

#define MAGIC "loa-identity 1"
#define LINE_LEN_MAX 1024
#define CERTIFICATE_ARENA_LEN 2048
#define LOGIN_BODY_LEN_MAX 256

/* --- reading -------------------------------------------------------------- */

/* What the lines so far have said. */
struct reader {
    struct loa_identity *id;
    bool secret_known;
};

static int read_root(struct reader *r, const char *value)
{
    size_t len;

    if (r->id->root_known)
        return LOA_EINVAL;
    if (loa_unbase64(value, r->id->root, LOA_KEY_BYTES, &len) != LOA_OK ||
        len != LOA_KEY_BYTES)
        return LOA_EINVAL;
    r->id->root_known = true;
    return LOA_OK;
}

static int read_certificate(struct reader *r, const char *value)
{
    struct loa_identity *id = r->id;
    _Alignas(max_align_t) uint8_t room[CERTIFICATE_ARENA_LEN];
    struct loa_arena arena;
    struct loa_certificate c;
    uint8_t *to;
    size_t len;

    if (id->certificates_n == LOA_CHAIN_MAX)
        return LOA_EINVAL;
    to = id->store[id->certificates_n];
    if (loa_unbase64(value, to, LOA_CERTIFICATE_BYTES_MAX, &len) != LOA_OK)
        return LOA_EINVAL;
    loa_arena_init(&arena, room, sizeof room);
    if (loa_certificate_parse(&arena, (struct loa_bytes){to, len}, &c) !=
        LOA_OK)
        return LOA_EINVAL;
    if (id->certificates_n == 0) {
        id->leaf = c;
        id->leaf.body = (struct loa_bytes){NULL, 0};
        id->leaf.signature = NULL;
    }
    id->certificates[id->certificates_n++] = (struct loa_bytes){to, len};
    return LOA_OK;
}

static int read_secret(struct reader *r, const char *value)
{
    size_t len;

    if (r->secret_known)
        return LOA_EINVAL;
    if (loa_unbase64(value, r->id->seed, sizeof r->id->seed, &len) != LOA_OK ||
        len != sizeof r->id->seed)
        return LOA_EINVAL;
    loa_key_from_seed(&r->id->key, r->id->seed);
    r->secret_known = true;
    return LOA_OK;
}

static const struct {
    const char *word;
    int (*read)(struct reader *r, const char *value);
} fields[] = {
    {"root ", read_root},
    {"certificate ", read_certificate},
    {"secret ", read_secret},
};

static int read_line(struct reader *r, const char *line)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        size_t len = strlen(fields[i].word);
        if (strncmp(line, fields[i].word, len) == 0)
            return fields[i].read(r, line + len);
    }
    return LOA_EINVAL;
}

/* Copies the line at *at of text[len] without its end, and steps over it. */
static int next_line(const char *text,
                     size_t len,
                     size_t *at,
                     char line[LINE_LEN_MAX + 1])
{
    size_t n = 0;

    while (*at + n < len && text[*at + n] != '\n') {
        if (n == LINE_LEN_MAX || text[*at + n] == '\0')
            return LOA_EINVAL;
        line[n] = text[*at + n];
        n++;
    }
    line[n] = '\0';
    *at += n + 1;
    return LOA_OK;
}

/* What can be judged only when every line was read: the key is there, and the
 * first certificate is about it. */
static bool is_whole(const struct reader *r)
{
    const struct loa_identity *id = r->id;

    if (!r->secret_known)
        return false;
    return id->certificates_n == 0 ||
           memcmp(id->leaf.subject, id->key.public_key, LOA_KEY_BYTES) == 0;
}

int loa_identity_parse(const char *text,
                       size_t len,
                       struct loa_identity *id,
                       size_t *line)
{
    struct reader r = {id, false};
    char buf[LINE_LEN_MAX + 1];
    size_t at = 0;

    memset(id, 0, sizeof *id);
    *line = 1;
    if (len > LOA_IDENTITY_BYTES_MAX ||
        next_line(text, len, &at, buf) != LOA_OK || strcmp(buf, MAGIC) != 0)
        return LOA_EINVAL;
    while (at < len) {
        ++*line;
        if (next_line(text, len, &at, buf) != LOA_OK ||
            read_line(&r, buf) != LOA_OK)
            return LOA_EINVAL;
    }
    return is_whole(&r) ? LOA_OK : LOA_EINVAL;
}

/* --- writing -------------------------------------------------------------- */

/* Appends "<word><value>\n" to buf[cap], of which *used is taken. */
static int write_field(const char *word,
                       struct loa_bytes value,
                       char *buf,
                       size_t cap,
                       size_t *used)
{
    size_t word_len = strlen(word);

    if (word_len >= cap - *used)
        return LOA_ENOSPC;
    memcpy(buf + *used, word, word_len);
    *used += word_len;
    if (loa_base64(value, buf + *used, cap - *used) != LOA_OK)
        return LOA_ENOSPC;
    *used += strlen(buf + *used);
    if (cap - *used < 2)
        return LOA_ENOSPC;
    memcpy(buf + *used, "\n", 2);
    *used += 1;
    return LOA_OK;
}

int loa_identity_format(const struct loa_identity *id, char *buf, size_t cap)
{
    int n = snprintf(buf, cap, MAGIC "\n");
    size_t used = (size_t)n;
    int rv = LOA_OK;

    if (n < 0 || used >= cap)
        return LOA_ENOSPC;
    if (id->root_known)
        rv = write_field("root ", (struct loa_bytes){id->root, LOA_KEY_BYTES},
                         buf, cap, &used);
    for (size_t i = 0; rv == LOA_OK && i < id->certificates_n; i++)
        rv = write_field("certificate ", id->certificates[i], buf, cap, &used);
    if (rv == LOA_OK)
        rv = write_field("secret ",
                         (struct loa_bytes){id->seed, sizeof id->seed}, buf,
                         cap, &used);
    return rv;
}

/* --- signing -------------------------------------------------------------- */

struct loa_signer loa_identity_signer(const struct loa_identity *id)
{
    return (struct loa_signer){
        .key = &id->key,
        .certificates = id->certificates,
        .certificates_n = id->certificates_n,
    };
}

static int pack_login(const char *broker,
                      const char *client_id,
                      uint8_t buf[LOGIN_BODY_LEN_MAX],
                      size_t *len)
{
    Loa__V1__Login m = LOA__V1__LOGIN__INIT;

    m.broker = (char *)(uintptr_t)broker;
    m.client_id = (char *)(uintptr_t)client_id;
    if (loa__v1__login__get_packed_size(&m) > LOGIN_BODY_LEN_MAX)
        return LOA_ENOSPC;
    *len = loa__v1__login__pack(&m, buf);
    return LOA_OK;
}

int loa_identity_password(const struct loa_identity *id,
                          const char *broker,
                          const char *client_id,
                          const uint8_t message_id[LOA_ID_BYTES],
                          int64_t now_ms,
                          char *buf,
                          size_t cap)
{
    uint8_t body[LOGIN_BODY_LEN_MAX];
    uint8_t envelope[LOA_PASSWORD_CAP];
    struct loa_signer signer = loa_identity_signer(id);
    struct loa_header h = {
        .type = LOA_TYPE_LOGIN,
        .issued_at_ms = now_ms,
        .expires_at_ms = now_ms + LOA_LOGIN_MS,
    };
    size_t len;
    int rv;

    /* Who has no certificate yet proves only that it holds the key. */
    strcpy(h.area, id->certificates_n > 0 ? id->leaf.area : LOA_ENROL_AREA);
    memcpy(h.message_id, message_id, LOA_ID_BYTES);
    h.body.data = body;
    rv = pack_login(broker, client_id, body, &h.body.len);
    if (rv == LOA_OK)
        rv = loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &len);
    if (rv == LOA_OK)
        rv = loa_base64((struct loa_bytes){envelope, len}, buf, cap);
    return rv;
}
