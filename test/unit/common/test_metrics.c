/* The text exposition; promtool judges the same text in the integration test.
 */

#include "check.h"
#include "common/metrics.h"

static const double bounds[] = {0.1, 1};

static void test_text(void)
{
    struct metric m[] = {
        METRIC_COUNTER_INIT("loa_a_total", "Things", "class=\"normal\""),
        METRIC_COUNTER_INIT("loa_a_total", "Things", "class=\"priority\""),
        METRIC_GAUGE_INIT("loa_b", "Level", NULL),
        METRIC_HISTOGRAM_INIT("loa_c_seconds", "Time", "kind=\"x\"", bounds),
    };
    struct metrics r = {0};
    char buf[1024];
    size_t len;

    metric_inc(&m[0]);
    metric_add(&m[1], 12345678901.0);
    metric_set(&m[2], -0.5);
    metric_observe(&m[3], 0.1);
    metric_observe(&m[3], 0.5);
    metric_observe(&m[3], 7);
    CHECK_INT("register", metrics_register(&r, m, 4), LOA_OK);
    CHECK_INT("text", metrics_text(&r, buf, sizeof buf, &len), LOA_OK);
    CHECK_INT("length", len, strlen(buf));
    CHECK_STR("text", buf,
              "# HELP loa_a_total Things\n# TYPE loa_a_total counter\n"
              "loa_a_total{class=\"normal\"} 1\n"
              "loa_a_total{class=\"priority\"} 12345678901\n"
              "# HELP loa_b Level\n# TYPE loa_b gauge\nloa_b -0.5\n"
              "# HELP loa_c_seconds Time\n# TYPE loa_c_seconds histogram\n"
              "loa_c_seconds_bucket{kind=\"x\",le=\"0.1\"} 1\n"
              "loa_c_seconds_bucket{kind=\"x\",le=\"1\"} 2\n"
              "loa_c_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3\n"
              "loa_c_seconds_sum{kind=\"x\"} 7.5999999999999996\n"
              "loa_c_seconds_count{kind=\"x\"} 3\n");
    for (size_t cap = 0; cap <= len; cap++) /* No room for the 0, or more. */
        CHECK_INT("no room", metrics_text(&r, buf, cap, &len), LOA_ENOSPC);
}

static void test_full(void)
{
    struct metrics r = {0};

    for (int i = 0; i < METRICS_SETS_MAX; i++)
        CHECK_INT("set", metrics_register(&r, NULL, 0), LOA_OK);
    CHECK_INT("full", metrics_register(&r, NULL, 0), LOA_EBUSY);
}

int main(void)
{
    test_text();
    test_full();
    return CHECK_DONE();
}
