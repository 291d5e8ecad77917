/* tree.h -- trees for tests, made as users make them: from a file. */

#ifndef LOA_TEST_REGISTRY_TREE_H
#define LOA_TEST_REGISTRY_TREE_H

#include <string.h>

#include "registry/area_find.h"
#include "registry/area_plan.h"

#define HEADER "code,parent,tier,name\n"

static struct areas tree;
static struct area_plan plan;
static struct area_csv_row tree_rows[AREA_CSV_ROWS_MAX];

/* Read a file and plan it; apply the plan if it is good. */
static int tree_import(const char *text,
                       int64_t valid_from_ms,
                       int64_t now_ms,
                       const char *asker_area,
                       struct refusal *why)
{
    static struct area_csv csv;
    struct area_order order = {tree_rows, 0, valid_from_ms, now_ms, asker_area};
    int rv;

    area_csv_begin(&csv, tree_rows);
    rv = area_csv_feed(&csv, text, strlen(text), why);
    if (rv == LOA_OK)
        rv = area_csv_end(&csv, why);
    order.rows_n = csv.rows_n;
    if (rv == LOA_OK)
        rv = area_plan(&plan, &tree, &order, why);
    if (rv == LOA_OK && plan.steps_n > 0)
        area_plan_apply(&plan, &tree);
    return rv;
}

static void tree_reset(void)
{
    memset(&tree, 0, sizeof tree);
    areas_init(&tree);
}

#endif /* LOA_TEST_REGISTRY_TREE_H */
