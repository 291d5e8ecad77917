/* loop.h -- run a loop until something has happened, ten seconds at most. */

#ifndef LOA_TEST_LOOP_H
#define LOA_TEST_LOOP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define AWAIT_MS_MAX 10000

static void loop_on_limit(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Until *n is at least want; false: it took too long. */
static inline bool loop_await(uv_loop_t *loop, const int *n, int want)
{
    uv_timer_t limit;
    bool late = false;

    uv_timer_init(loop, &limit);
    limit.data = &late;
    uv_timer_start(&limit, loop_on_limit, AWAIT_MS_MAX, 0);
    while (*n < want && !late)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(loop,
           UV_RUN_NOWAIT); /* Its close callback: limit is on our stack. */
    while (uv_is_active((uv_handle_t *)&limit))
        uv_run(loop, UV_RUN_NOWAIT);
    return !late;
}

#endif /* LOA_TEST_LOOP_H */
