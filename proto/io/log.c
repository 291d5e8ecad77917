#include "proto/io/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/text.h"

#define SPEC_LEN_MAX 32
#define CUT "..."

enum log_level log_level = LOG_INFO;

static const char *const names[] = {"error", "warn", "info", "debug"};

/* va_list may be an array type, which a function cannot take by address. */
struct args {
    va_list ap;
};

struct out {
    char *buf;
    size_t cap, len;
};

static void put(struct out *o, const char *s, size_t len)
{
    size_t room = o->cap - o->len;

    if (len > room)
        len = room;
    memcpy(o->buf + o->len, s, len);
    o->len += len;
}

/* One conversion: flags, width, precision, length, letter. Returns what follows
 * it. The argument is fetched by the type that length and letter name, and
 * handed to snprintf() with the conversion as it stands. */
static const char *convert(struct out *o, const char *f, struct args *a)
{
    char spec[SPEC_LEN_MAX], text[LOG_LINE_LEN_MAX];
    size_t n = strspn(f + 1, "-+ #0123456789.*hlzjt") + 1;
    int star[2] = {0, 0}, stars_n = 0, len = 0;
    bool is_long, is_size;

    if (f[n] == '\0' || n + 2 > sizeof spec)
        return f + n; /* Our own bug, and a log line is no place to die. */
    memcpy(spec, f, n + 1);
    spec[n + 1] = '\0';
    for (size_t i = 0; i < n && stars_n < 2; i++)
        if (spec[i] == '*')
            star[stars_n++] = va_arg(a->ap, int);
    is_long = strchr(spec, 'l') != NULL; /* long and long long: both 64 bits. */
    is_size = strchr(spec, 'z') != NULL || strchr(spec, 'j') != NULL ||
              strchr(spec, 't') != NULL;
#define PRINT(value)                                         \
    (stars_n == 0 ? snprintf(text, sizeof text, spec, value) \
     : stars_n == 1                                          \
         ? snprintf(text, sizeof text, spec, star[0], value) \
         : snprintf(text, sizeof text, spec, star[0], star[1], value))
    switch (f[n]) {
        case 's': {
            const char *s = va_arg(a->ap, const char *);
            s = s == NULL ? "(null)" : s;
            len = PRINT(s);
            break;
        }
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            if (is_long && strstr(spec, "ll") != NULL)
                len = PRINT(va_arg(a->ap, long long));
            else if (is_long)
                len = PRINT(va_arg(a->ap, long));
            else if (strchr(spec, 'j') != NULL)
                len = PRINT(va_arg(a->ap, intmax_t));
            else if (is_size)
                len = PRINT(va_arg(a->ap, size_t));
            else
                len = PRINT(va_arg(a->ap, int));
            break;
        case 'c':
            len = PRINT(va_arg(a->ap, int));
            break;
        case 'f':
        case 'g':
        case 'e':
            len = PRINT(va_arg(a->ap, double));
            break;
        case 'p':
            len = PRINT(va_arg(a->ap, void *));
            break;
        case '%':
            put(o, "%", 1);
            break;
        default:
            break;
    }
#undef PRINT
    if (len > 0)
        put(o, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    return f + n + 1;
}

static bool is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = loa_utf8_next((const uint8_t *)s + i, len - i, NULL);
        unsigned char c = (unsigned char)s[i];
        if (n == 0 || c <= ' ' || c == 0x7f || c == '"' || c == '=')
            return false;
        i += n;
    }
    return len > 0;
}

static void put_quoted(struct out *o, const char *s, size_t len)
{
    char hex[8];

    put(o, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = loa_utf8_next((const uint8_t *)s + i, len - i, NULL);
        unsigned char c = (unsigned char)s[i];
        if (n == 0 || c < ' ' || c == 0x7f) {
            if (c == '\n')
                put(o, "\\n", 2);
            else
                put(o, hex, (size_t)snprintf(hex, sizeof hex, "\\x%02x", c));
            n = 1;
        } else {
            if (c == '"' || c == '\\')
                put(o, "\\", 1);
            put(o, s + i, n);
        }
        i += n;
    }
    put(o, "\"", 1);
}

/* One `key=value` of fmt; returns what follows it. */
static const char *put_pair(struct out *o, const char *fmt, struct args *a)
{
    char value[LOG_LINE_LEN_MAX];
    struct out v = {value, sizeof value, 0};
    size_t key_len = strcspn(fmt, "= ");
    bool rest;

    put(o, fmt, key_len);
    if (fmt[key_len] != '=')
        return fmt + key_len;
    put(o, "=", 1);
    rest = key_len == 4 && memcmp(fmt, "text", 4) == 0;
    fmt += key_len + 1;
    while (*fmt != '\0' && (rest || *fmt != ' ')) {
        if (*fmt == '%')
            fmt = convert(&v, fmt, a);
        else
            put(&v, fmt++, 1);
    }
    if (is_plain(v.buf, v.len))
        put(o, v.buf, v.len);
    else
        put_quoted(o, v.buf, v.len);
    return fmt;
}

/* Cut at a character's border, and show that it was. */
static void cut(struct out *o)
{
    size_t at = o->cap - strlen(CUT);

    while (at > 0 && ((unsigned char)o->buf[at] & 0xc0) == 0x80)
        at--;
    memcpy(o->buf + at, CUT, strlen(CUT));
    o->len = at + strlen(CUT);
}

size_t log_format(char *buf, size_t cap, const char *fmt, va_list ap)
{
    struct out o = {buf, cap - 1, 0};
    struct args a;

    va_copy(a.ap, ap);
    while (*fmt != '\0') {
        if (*fmt == ' ')
            put(&o, fmt++, 1);
        else
            fmt = put_pair(&o, fmt, &a);
    }
    va_end(a.ap);
    if (o.len == o.cap)
        cut(&o);
    buf[o.len] = '\0';
    return o.len;
}

int log_level_parse(const char *text, enum log_level *level)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *level = (enum log_level)i;
            return LOA_OK;
        }
    return LOA_EINVAL;
}

void log_line(enum log_level level, const char *event, const char *fmt, ...)
{
    char line[LOG_LINE_LEN_MAX];
    int saved_errno = errno;
    struct timespec now;
    struct tm tm;
    size_t len;
    ssize_t written;
    va_list ap;

    if (level > log_level)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    len = strftime(line, sizeof line, "at=%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t)snprintf(line + len, sizeof line - len,
                            ".%03ldZ level=%s event=%s ", now.tv_nsec / 1000000,
                            names[level], event);
    va_start(ap, fmt);
    len += log_format(line + len, sizeof line - len - 1, fmt, ap);
    va_end(ap);
    line[len++] = '\n';
    /* One write, so that lines of several processes do not mix; what cannot be
     * written is nobody's to know. */
    written = write(STDERR_FILENO, line, len);
    (void)written;
    errno = saved_errno;
}
