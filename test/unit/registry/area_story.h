/* area_story.h -- a story of imports. Each step is an import into the tree that
 * the steps before it left. */

#ifndef LOA_TEST_REGISTRY_AREA_STORY_H
#define LOA_TEST_REGISTRY_AREA_STORY_H

#include <stdio.h>

#include "check.h"
#include "tree.h"

#define DAY 86400000ll

/* What the tree says of a path at a time: the name, or NULL. */
struct fact {
    const char *path;
    int64_t at_ms;
    const char *name;
};

struct step {
    const char *what, *text;
    int64_t from_ms, now_ms;
    const char *asker;
    enum refusal_code refused; /* REFUSAL_NONE: it is done. */
    uint32_t line;
    size_t added, changed, unchanged, closed, moved;
    struct fact facts[4];
};

#define VN "vn,,central,Việt Nam\n"
#define P08 "08,vn,province,Tỉnh Tuyên Quang\n"
#define D070 "070,08,district,Thành phố Tuyên Quang\n"
#define C215 "02215,070,commune,Phường Phan Thiết\n"

UNUSED static void check_facts(const char *story, const struct step *s)
{
    for (size_t k = 0; k < 4 && s->facts[k].path != NULL; k++) {
        const struct fact *f = &s->facts[k];
        const struct area_state *got = areas_at(&tree, f->path, f->at_ms);
        char row[200];

        snprintf(row, sizeof row, "%s: %s: %s", story, s->what, f->path);
        CHECK_INT(row, got != NULL, f->name != NULL);
        if (got != NULL && f->name != NULL)
            CHECK_INT(row, strcmp(got->name, f->name), 0);
    }
}

UNUSED static void run(const char *story, const struct step *steps, size_t n)
{
    tree_reset();
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        uint64_t version = tree.version;
        struct refusal why = {0};
        char row[160];
        int rv;

        snprintf(row, sizeof row, "%s: %s", story, s->what);
        rv = tree_import(s->text, s->from_ms, s->now_ms, s->asker, &why);
        CHECK_INT(row, rv, s->refused == REFUSAL_NONE ? LOA_OK : LOA_EINVAL);
        CHECK_INT(row, why.code, s->refused);
        CHECK_INT(row, why.line, s->line);
        check_facts(story, s);
        if (rv != LOA_OK) {
            CHECK_INT(row, tree.version, version);
            CHECK_INT(row, why.en[strlen(why.en) - 1], '.');
            CHECK_INT(row, why.vi[strlen(why.vi) - 1], '.');
            continue;
        }
        CHECK_INT(row, plan.added_n, s->added);
        CHECK_INT(row, plan.changed_n, s->changed);
        CHECK_INT(row, plan.unchanged_n, s->unchanged);
        CHECK_INT(row, plan.closed_n, s->closed);
        CHECK_INT(row, plan.moved_n, s->moved);
        CHECK_INT(row, tree.version, version + (plan.steps_n > 0));
    }
}

#define RUN(story) run(#story, story, sizeof story / sizeof story[0])

/* No id is ever given twice, and no two states of an area overlap. */
UNUSED static void check_history(void)
{
    for (size_t i = 0; i < tree.areas_n; i++) {
        CHECK_INT(tree.areas[i].id, areas_by_id(&tree, tree.areas[i].id), i);
        for (uint32_t s = tree.areas[i].newest;
             tree.states[s].prev != AREA_NONE; s = tree.states[s].prev) {
            const struct area_state *old = &tree.states[tree.states[s].prev];
            CHECK_INT(tree.areas[i].id, old->valid_until_ms != 0, 1);
            CHECK_INT(tree.areas[i].id,
                      old->valid_until_ms <= tree.states[s].valid_from_ms, 1);
            CHECK_INT(tree.areas[i].id,
                      old->valid_from_ms < old->valid_until_ms, 1);
        }
    }
}

#endif /* LOA_TEST_REGISTRY_AREA_STORY_H */
