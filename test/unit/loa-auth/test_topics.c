/* docs/topics.md has the table of rights exactly as rights.c has it.
 *
 * `test_topics print` writes the lines that belong between the markers. Runs in
 * the top folder, as make does. */

#include <stdlib.h>
#include <string.h>

#include "broker-plugins/loa-auth/rights.h"
#include "check.h"

#define PAGE "docs/topics.md"
#define BEGIN "<!-- rights -->\n"
#define END "<!-- end of rights -->\n"
#define TEXT_CAP 65536 /* Of the page, too. */

static const char *who(const struct right *r)
{
    static char text[64];

    if (r->role == RIGHTS_ROLE_ENROLLING)
        return "device before it is enrolled";
    if (r->role == LOA_ROLE_SERVICE) {
        if (r->service == NULL)
            return "every service";
        snprintf(text, sizeof text, "service %s", r->service);
        return text;
    }
    return loa_role_name(r->role);
}

static const char *kind(const struct right *r)
{
    if (strcmp(r->kind, RIGHTS_KIND_ANY) == 0)
        return "`+`";
    if (strcmp(r->kind, RIGHTS_KIND_SERVICE) == 0)
        return "any service";
    if (strcmp(r->kind, RIGHTS_KIND_OWN) == 0)
        return "its own service";
    if (strcmp(r->kind, RIGHTS_KIND_OTHER) == 0)
        return "any other service";
    return r->kind;
}

static const char *scope(enum rights_scope s)
{
    static const char *const texts[] = {
        [RIGHTS_OWN] = "own area, /@self",
        [RIGHTS_HERE] = "own area",
        [RIGHTS_ABOVE] = "own area and each one above",
        [RIGHTS_BELOW] = "own area and each one below",
        [RIGHTS_BELOW_ONE] = "own area or one below, /@somebody",
        [RIGHTS_BELOW_ALL] = "own area and all below (`/#`)",
        [RIGHTS_ENROL_ONE] = "enrol, /@somebody",
        [RIGHTS_ENROL_ALL] = "enrol and all below (`/#`)",
    };

    return texts[s];
}

static void render(char out[TEXT_CAP])
{
    size_t rows_n, n = 0;
    const struct right *rows = rights_table(&rows_n);

    n += (size_t)snprintf(out + n, TEXT_CAP - n,
                          "| who | may | plane | kind | where | besides |\n"
                          "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < rows_n; i++) {
        const struct right *r = &rows[i];

        n += (size_t)snprintf(
            out + n, TEXT_CAP - n, "| %s | %s | %s | %s | %s |%s%s%s%s |\n",
            who(r), r->access == RIGHTS_READ ? "read" : "write",
            loa_plane_name(r->plane), kind(r), scope(r->scope),
            r->power == LOA_POWER_COMMAND ? " needs COMMAND" : "",
            r->flags & RIGHTS_RETAIN ? " retained" : "",
            r->flags & RIGHTS_WILL ? ", as a will" : "",
            r->flags & RIGHTS_LIMITED ? " without a clock too" : "");
    }
}

static char text[TEXT_CAP], page[TEXT_CAP];

static void test_page(void)
{
    FILE *f = fopen(PAGE, "r");
    char *begin, *end;

    CHECK_INT("page", f != NULL, true);
    if (f == NULL)
        return;
    page[fread(page, 1, sizeof page - 1, f)] = '\0';
    fclose(f);
    begin = strstr(page, BEGIN);
    end = strstr(page, END);
    CHECK_INT("markers", begin != NULL && end != NULL && begin < end, true);
    if (begin == NULL || end == NULL)
        return;
    begin += strlen(BEGIN);
    CHECK_INT("the table of " PAGE " is old: test_topics print",
              (size_t)(end - begin) == strlen(text) &&
                  strncmp(begin, text, strlen(text)) == 0,
              true);
}

int main(int argc, char **argv)
{
    render(text);
    if (argc == 2 && strcmp(argv[1], "print") == 0)
        return fputs(text, stdout) < 0;
    test_page();
    return CHECK_DONE();
}
