/* The pairs of a log line: a line stays a line, and no value makes a key. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>

#include "check.h"
#include "proto/io/log.h"

static char line[LOG_LINE_LEN_MAX];

static const char *format(size_t cap, const char *fmt, ...) LOA_PRINTF(2, 3);

static const char *format(size_t cap, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    va_start(ap, fmt);
    len = log_format(line, cap, fmt, ap);
    va_end(ap);
    CHECK_INT(fmt, len, strlen(line));
    return line;
}

#define ALL sizeof line

static void test_values(void)
{
    CHECK_STR("plain", format(ALL, "a=%s b=%d", "x", -1), "a=x b=-1");
    CHECK_STR("empty", format(ALL, "a=%s b=%u", "", 2u), "a=\"\" b=2");
    CHECK_STR("blank", format(ALL, "a=%s b=%u", "x y", 2u), "a=\"x y\" b=2");
    CHECK_STR("forged key", format(ALL, "a=%s", "x level=error"),
              "a=\"x level=error\"");
    CHECK_STR("newline", format(ALL, "a=%s", "x\nlevel=error"),
              "a=\"x\\nlevel=error\"");
    CHECK_STR("quote", format(ALL, "a=%s", "say \"x\" \\"),
              "a=\"say \\\"x\\\" \\\\\"");
    CHECK_STR("control", format(ALL, "a=%s", "\x1b[1m"), "a=\"\\x1b[1m\"");
    CHECK_STR("not UTF-8", format(ALL, "a=%s", "\xff"), "a=\"\\xff\"");
    CHECK_STR("Vietnamese", format(ALL, "a=%s", "Hòa"), "a=Hòa");
    CHECK_STR("Vietnamese text", format(ALL, "text=%s", "Xã Tân Hòa"),
              "text=\"Xã Tân Hòa\"");
    CHECK_STR("two in one", format(ALL, "addr=%s:%u n=%d", "h", 1883u, 3),
              "addr=h:1883 n=3");
    CHECK_STR("rest", format(ALL, "a=%d text=cannot open %s", 1, "x"),
              "a=1 text=\"cannot open x\"");
    CHECK_STR("part", format(ALL, "a=%.*s", 3, "abcdef"), "a=abc");
}

static void test_conversions(void)
{
    CHECK_STR("sizes", format(ALL, "a=%zu b=%ld c=%llu", (size_t)1, -2L, 3ull),
              "a=1 b=-2 c=3");
    CHECK_STR("64 bits",
              format(ALL, "a=%" PRIu64 " b=%" PRId64, UINT64_MAX, INT64_MIN),
              "a=18446744073709551615 b=-9223372036854775808");
    CHECK_STR("8 bits",
              format(ALL, "a=%hhu b=%02hhx", (uint8_t)200, (uint8_t)10),
              "a=200 b=0a");
    CHECK_STR("double", format(ALL, "a=%.2f b=%g", 1.005, 1e9),
              "a=1.00 b=1e+09");
    CHECK_STR("percent", format(ALL, "a=%d%% b=%c", 50, 'x'), "a=50% b=x");
    CHECK_STR("width", format(ALL, "a=%05d b=%*d", 42, 3, 7),
              "a=00042 b=\"  7\"");
}

static void test_cut(void)
{
    CHECK_STR("cut", format(12, "a=%s", "0123456789abcdef"), "a=012345...");
    /* At most one character less, never half of one. */
    CHECK_STR("cut before a character", format(12, "a=%s", "01234Hòaaaaaa"),
              "a=01234H...");
}

static void test_levels(void)
{
    enum log_level level = LOG_WARN;

    CHECK_INT("debug", log_level_parse("debug", &level), LOA_OK);
    CHECK_INT("debug", level, LOG_DEBUG);
    CHECK_INT("Debug", log_level_parse("Debug", &level), LOA_EINVAL);
    CHECK_INT("unchanged", level, LOG_DEBUG);
}

int main(void)
{
    test_values();
    test_conversions();
    test_cut();
    test_levels();
    return CHECK_DONE();
}
