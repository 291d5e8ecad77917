/* Lines of a file, values of every type, and names in the environment. */

#include <stddef.h>
#include <stdlib.h>

#include "check.h"
#include "proto/io/config_parse.h"

static char seen[1024];

static void on_line(unsigned line,
                    const char *name,
                    const char *value,
                    const char *why,
                    void *data)
{
    size_t at = strlen(seen);

    (void)data;
    if (why != NULL)
        snprintf(seen + at, sizeof seen - at, "%u!%s|", line, why);
    else
        snprintf(seen + at, sizeof seen - at, "%u:%s=%s|", line, name, value);
}

#define WANT_PAIR "want `name = value`"
#define WANT_NAME "want a name of a-z, 0-9, '-' and '.' before the `=`"

static const struct {
    const char *name, *text;
    size_t len; /* 0: strlen(text) */
    const char *want;
} line_rows[] = {
    {"empty", "", 0, ""},
    {"blank lines", "\n  \n\t\r\n", 0, ""},
    {"comments", "# a\n   # b = c\n", 0, ""},
    {"pair", "a = b", 0, "1:a=b|"},
    {"no blanks", "mqtt-port=1883\n", 0, "1:mqtt-port=1883|"},
    {"blanks inside", "pg =  host=/run dbname=x  \n", 0,
     "1:pg=host=/run dbname=x|"},
    {"CR LF", "a=1\r\nb=2\r\n", 0, "1:a=1|2:b=2|"},
    {"trailing comment", "a = 1 # one\n", 0, "1:a=1|"},
    {"hash inside", "a = x#y\n", 0, "1:a=x#y|"},
    {"empty value", "a =\nb = # none\n", 0, "1:a=|2:b=|"},
    {"quoted", "a = \" x # y \"  # why\n", 0, "1:a= x # y |"},
    {"quote not closed", "a = \"x\n", 0, "1!the quote is not closed|"},
    {"behind a quote", "a = \"x\" y\n", 0,
     "1!there is text behind the closing quote|"},
    {"no equals", "a\nb=1\n", 0, "1!" WANT_PAIR "|2:b=1|"},
    {"no name", "= 1\n", 0, "1!" WANT_NAME "|"},
    {"upper case name", "A = 1\n", 0, "1!" WANT_NAME "|"},
    {"Vietnamese", "a = Xã Tân Hòa\n", 0, "1:a=Xã Tân Hòa|"},
    {"NUL", "a = b\0c\n", 8, "1!this is not UTF-8 text|"},
    {"not UTF-8", "\n\na = \xff\n", 0, "3!this is not UTF-8 text|"},
};

static void test_lines(void)
{
    for (size_t i = 0; i < sizeof line_rows / sizeof line_rows[0]; i++) {
        char text[256];
        size_t len = line_rows[i].len;
        if (len == 0)
            len = strlen(line_rows[i].text);
        memcpy(text, line_rows[i].text, len);
        seen[0] = '\0';
        config_parse(text, len, on_line, NULL);
        CHECK_STR(line_rows[i].name, seen, line_rows[i].want);
    }
}

struct conf {
    const char *text, *any;
    unsigned uint;
    uint64_t u64, ms;
    bool yes;
};

static const struct config_option options[] = {
    {"text", CONFIG_TEXT, offsetof(struct conf, text), "x", 1, 4, ""},
    {"any", CONFIG_PATH, offsetof(struct conf, any), "", 0, 0, ""},
    {"uint", CONFIG_UINT, offsetof(struct conf, uint), "1", 1, 65535, ""},
    {"u64", CONFIG_U64, offsetof(struct conf, u64), "1", 0, UINT64_MAX, ""},
    {"ms", CONFIG_DURATION, offsetof(struct conf, ms), "1s", 10, 604800000, ""},
    {"yes", CONFIG_BOOL, offsetof(struct conf, yes), "no", 0, 0, ""},
};

#define WANT_UINT "want a number from 1 to 65535"
#define WANT_MS "want a time from 10ms to 7d, as 250ms, 10s, 5m, 2h or 7d"

static const struct {
    const char *option, *text, *why; /* NULL: it is taken. */
    uint64_t value;                  /* Of numbers. */
} value_rows[] = {
    {"text", "abcd", NULL, 0},
    {"text", "", "must not be empty", 0},
    {"text", "abcde", "want 1 to 4 bytes", 0},
    {"text", "\xc3", "want UTF-8 text", 0},
    {"any", "", NULL, 0},
    {"uint", "65535", NULL, 65535},
    {"uint", "0", WANT_UINT, 0},
    {"uint", "65536", WANT_UINT, 0},
    {"uint", "-1", WANT_UINT, 0},
    {"uint", "+1", WANT_UINT, 0},
    {"uint", " 1", WANT_UINT, 0},
    {"uint", "1x", WANT_UINT, 0},
    {"uint", "", WANT_UINT, 0},
    {"uint", "4294967297", WANT_UINT, 0},
    {"u64", "18446744073709551615", NULL, UINT64_MAX},
    {"u64", "18446744073709551616",
     "want a number from 0 to 18446744073709551615", 0},
    {"ms", "10ms", NULL, 10},
    {"ms", "9ms", WANT_MS, 0},
    {"ms", "90s", NULL, 90000},
    {"ms", "5m", NULL, 300000},
    {"ms", "2h", NULL, 7200000},
    {"ms", "7d", NULL, 604800000},
    {"ms", "8d", WANT_MS, 0},
    {"ms", "10", WANT_MS, 0},
    {"ms", "10 s", WANT_MS, 0},
    {"ms", "18446744073709551615d", WANT_MS, 0},
    {"yes", "yes", NULL, 1},
    {"yes", "true", NULL, 1},
    {"yes", "on", NULL, 1},
    {"yes", "1", NULL, 1},
    {"yes", "off", NULL, 0},
    {"yes", "YES", "want yes or no", 0},
};

static uint64_t value_of(const struct conf *c, const struct config_option *o)
{
    switch (o->type) {
        case CONFIG_UINT:
            return c->uint;
        case CONFIG_U64:
            return c->u64;
        case CONFIG_DURATION:
            return c->ms;
        default:
            return c->yes;
    }
}

static void test_values(void)
{
    for (size_t i = 0; i < sizeof value_rows / sizeof value_rows[0]; i++) {
        const char *name = value_rows[i].option, *text = value_rows[i].text;
        const struct config_option *o = config_find(
            options, sizeof options / sizeof options[0], name, strlen(name));
        struct conf c = {.text = "before", .uint = 7, .u64 = 7, .ms = 7};
        struct conf before = c;
        char why[CONFIG_WHY_LEN_MAX] = "";
        int rv = config_set(o, &c, text, why);
        CHECK_INT(text, rv, value_rows[i].why ? LOA_EINVAL : LOA_OK);
        CHECK_STR(text, why, value_rows[i].why ? value_rows[i].why : "");
        if (rv != LOA_OK)
            CHECK_INT(text, memcmp(&c, &before, sizeof c), 0);
        else if (o->type == CONFIG_TEXT)
            CHECK_INT(text, c.text == text, 1);
        else if (o->type != CONFIG_PATH)
            CHECK_INT(text, value_of(&c, o) == value_rows[i].value, 1);
    }
}

static void test_names(void)
{
    char env[CONFIG_ENV_LEN_MAX];

    config_env_name("mqtt-port", env);
    CHECK_STR("dash", env, "LOA_MQTT_PORT");
    config_env_name("a.b2", env);
    CHECK_STR("dot", env, "LOA_A_B2");
    CHECK_INT("prefix is no name", config_find(options, 6, "text", 3) == NULL,
              1);
    CHECK_INT("unknown", config_find(options, 6, "texts", 5) == NULL, 1);
}

int main(void)
{
    test_lines();
    test_values();
    test_names();
    return CHECK_DONE();
}
