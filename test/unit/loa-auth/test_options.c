/* Options, the ring of used logins, and what keeps the log short. */

#include <string.h>

#include "broker-plugins/loa-auth/options.h"
#include "broker-plugins/loa-auth/report.h"
#include "broker-plugins/loa-auth/seen.h"
#include "check.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define KEY "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"

/* clang-format off */
static const struct row {
    const char *name, *key, *value;
    int want;
} rows[] = {
    {"root",               "root", KEY, LOA_OK},
    {"short root",         "root", "AQEB", LOA_EINVAL},
    {"long root",          "root", KEY "AQEB", LOA_EINVAL},
    {"root is no base64",  "root", "AQ==", LOA_EINVAL},
    {"no value",           "root", NULL, LOA_EINVAL},
    {"file",               "root_file", "/etc/loa/root.key", LOA_OK},
    {"empty file",         "root_file", "", LOA_EINVAL},
    {"state",              "state", "trust.state", LOA_OK},
    {"broker",             "broker", "province_08", LOA_OK},
    {"broker with spaces", "broker", "my broker", LOA_EINVAL},
    {"empty broker",       "broker", "", LOA_EINVAL},
    {"window",             "login_window_s", "3600", LOA_OK},
    {"window 0",           "login_window_s", "0", LOA_EINVAL},
    {"window -1",          "login_window_s", "-1", LOA_EINVAL},
    {"window too long",    "login_window_s", "3601", LOA_EINVAL},
    {"window in words",    "login_window_s", "2m", LOA_EINVAL},
    {"empty window",       "login_window_s", "", LOA_EINVAL},
    {"unknown",            "rootfile", "x", LOA_EINVAL},
};
/* clang-format on */

static struct options o;

static void test_rows(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        options_init(&o);
        CHECK_INT(rows[i].name, options_set(&o, rows[i].key, rows[i].value),
                  rows[i].want);
        CHECK_INT(rows[i].name, o.error[0] != '\0', rows[i].want != LOA_OK);
    }
}

static void test_defaults(void)
{
    options_init(&o);
    CHECK_INT("broker", strcmp(o.rules.broker, "loa"), 0);
    CHECK_INT("window", o.rules.window_ms, 120000);
}

static void test_root_comes_from_one_place(void)
{
    char text[] = "  " KEY "\r\n";

    options_init(&o);
    CHECK_INT("nowhere", options_check(&o), LOA_EINVAL);
    CHECK_INT("file", options_set(&o, "root_file", "x"), LOA_OK);
    CHECK_INT("one", options_check(&o), LOA_OK);
    CHECK_INT("text", options_root_text(&o, text), LOA_OK);
    CHECK_INT("key", o.root[31], 1);
    options_init(&o);
    CHECK_INT("root", options_set(&o, "root", KEY), LOA_OK);
    CHECK_INT("one", options_check(&o), LOA_OK);
    CHECK_INT("file", options_set(&o, "root_file", "x"), LOA_OK);
    CHECK_INT("both", options_check(&o), LOA_EINVAL);
}

static void test_long_path(void)
{
    static char path[OPTIONS_PATH_CAP + 1];

    memset(path, 'x', sizeof path - 1);
    options_init(&o);
    CHECK_INT("too long", options_set(&o, "state", path), LOA_EINVAL);
    path[OPTIONS_PATH_CAP - 1] = '\0';
    CHECK_INT("longest", options_set(&o, "state", path), LOA_OK);
}

static void test_empty_root_file(void)
{
    char text[] = "\n";

    options_init(&o);
    CHECK_INT("empty", options_root_text(&o, text), LOA_EINVAL);
}

static struct seen seen;

static void test_seen(void)
{
    uint8_t a[LOA_ID_BYTES] = {1}, b[LOA_ID_BYTES] = {1};

    b[15] = 1;
    CHECK_INT("a", seen_add(&seen, false, a, 100, 200), true);
    CHECK_INT("a again", seen_add(&seen, false, a, 199, 300), false);
    CHECK_INT("b", seen_add(&seen, false, b, 199, 300), true);
    CHECK_INT("a, when it no longer counts",
              seen_add(&seen, false, a, 200, 300), true);
    CHECK_INT("b again", seen_add(&seen, false, b, 200, 300), false);
}

/* Whoever may log in chooses the ids of his logins: that must not make room for
 * another's to be used again. */
static void test_chosen_ids_push_a_login_out(void)
{
    uint8_t id[LOA_ID_BYTES] = {2}, mine[LOA_ID_BYTES] = {2};

    CHECK_INT("new", seen_add(&seen, false, id, 1000, 2000), true);
    for (uint8_t i = 1; i <= 4 * SEEN_WAYS_N; i++) {
        mine[15] = i;
        CHECK_INT("new", seen_add(&seen, false, mine, 1000, 2000 + i), true);
    }
    CHECK_INT("kept", seen_add(&seen, false, id, 1000, 3000), false);
}

/* However many loudspeakers log in: who is none is not forgotten. And there is
 * an end to the memory. */
static void test_devices_push_no_staff_out(void)
{
    uint8_t id[LOA_ID_BYTES] = {3}, other[LOA_ID_BYTES] = {4};
    uint32_t n = 2 * SEEN_SETS_N * SEEN_WAYS_N;

    CHECK_INT("new", seen_add(&seen, false, id, 1000, 2000), true);
    CHECK_INT("new", seen_add(&seen, true, other, 1000, 2000), true);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t device[LOA_ID_BYTES] = {5};

        memcpy(device + 4, &i, sizeof i);
        if (!seen_add(&seen, true, device, 1000, 2001 + (int64_t)i))
            CHECK_INT("new", (int)i, -1);
    }
    CHECK_INT("staff", seen_add(&seen, false, id, 1000, 3000), false);
    CHECK_INT("a device", seen_add(&seen, true, other, 1000, 2000), true);
}

static void test_report(void)
{
    struct report r = {0};
    char word[REPORT_TEXT_CAP], longer[2 * REPORT_TEXT_CAP];

    for (int i = 0; i < REPORT_LINES_PER_S; i++)
        CHECK_INT("first lines", report_allow(&r, 5000), true);
    CHECK_INT("one more", report_allow(&r, 5999), false);
    CHECK_INT("and more", report_allow(&r, 5999), false);
    CHECK_INT("not yet", report_dropped(&r, 5999), 0);
    CHECK_INT("said later", report_dropped(&r, 6000), 2);
    CHECK_INT("once", report_dropped(&r, 6000), 0);
    CHECK_INT("next second", report_allow(&r, 6000), true);

    CHECK_INT("null", strcmp(report_word(NULL, word), "-"), 0);
    CHECK_INT("empty", strcmp(report_word("", word), "-"), 0);
    CHECK_INT("DEL", strcmp(report_word("a\x7f", word), "a?"), 0);
    CHECK_INT("blank",
              strcmp(report_word("a b\n\x80=", word),
                     "a?b?"
                     "?="),
              0);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CHECK_INT("long", strlen(report_word(longer, word)), REPORT_TEXT_CAP - 1);
}

int main(void)
{
    test_rows();
    test_defaults();
    test_root_comes_from_one_place();
    test_long_path();
    test_empty_root_file();
    test_seen();
    test_chosen_ids_push_a_login_out();
    test_devices_push_no_staff_out();
    test_report();
    return CHECK_DONE();
}
