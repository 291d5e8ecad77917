/* link: proto/io/config_parse.c */

/* Any bytes as a configuration file, and each value as every type. Properties:
 * name and value lie inside the text, a name has its characters only, and what
 * an option takes is within its limits. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/config_parse.h"
#include "proto/text.h"

struct conf {
    const char *text;
    unsigned uint;
    uint64_t u64, ms;
    bool yes;
};

static const struct config_option options[] = {
    {"text", CONFIG_TEXT, offsetof(struct conf, text), "", 2, 5, ""},
    {"uint", CONFIG_UINT, offsetof(struct conf, uint), "7", 3, 70000, ""},
    {"u64", CONFIG_U64, offsetof(struct conf, u64), "1", 0, UINT64_MAX, ""},
    {"ms", CONFIG_DURATION, offsetof(struct conf, ms), "1s", 5, 900000, ""},
    {"yes", CONFIG_BOOL, offsetof(struct conf, yes), "no", 0, 0, ""},
};

struct text {
    const char *begin, *end;
    unsigned line;
};

static void try_all(const char *value)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct conf c = {0};
        char why[CONFIG_WHY_LEN_MAX] = "";
        if (config_set(&options[i], &c, value, why) != LOA_OK) {
            assert(why[0] != '\0');
            continue;
        }
        assert(c.text == NULL || (strlen(c.text) >= 2 && strlen(c.text) <= 5));
        assert(c.uint == 0 || (c.uint >= 3 && c.uint <= 70000));
        assert(c.ms == 0 || (c.ms >= 5 && c.ms <= 900000));
    }
}

static void on_line(unsigned line,
                    const char *name,
                    const char *value,
                    const char *why,
                    void *data)
{
    struct text *t = data;

    assert(line > t->line);
    t->line = line;
    if (why != NULL) {
        assert(name == NULL && value == NULL);
        return;
    }
    assert(name >= t->begin && name < t->end);
    assert(value > name && value + strlen(value) <= t->end);
    assert(name[0] != '\0' &&
           loa_utf8_valid((const uint8_t *)value, strlen(value)));
    assert(strchr(value, '\n') == NULL);
    try_all(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct text t = {text, text + size, 0};

    memcpy(text, data, size);
    config_parse(text, size, on_line, &t);
    free(text);
    return 0;
}
