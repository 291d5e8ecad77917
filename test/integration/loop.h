/* loop.h -- run a loop until something has happened, a minute at most.
 */

#ifndef LOA_TEST_LOOP_H
#define LOA_TEST_LOOP_H

#include <stdbool.h>
#include <uv.h>

#define AWAIT_MS_MAX 60000
#define AWAIT_TICK_MS 10 /* What a timer did shows at the next tick. */

static void loop_on_tick(uv_timer_t *timer)
{
    (void)timer; /* It is there to end UV_RUN_ONCE. */
}

static void loop_on_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* Until *n is at least want; false: it took too long. */
static inline bool loop_await(uv_loop_t *loop, const int *n, int want)
{
    uint64_t limit_ms = uv_hrtime() / 1000000 + AWAIT_MS_MAX;
    uv_timer_t tick;
    bool closed = false;

    uv_timer_init(loop, &tick);
    tick.data = &closed;
    uv_timer_start(&tick, loop_on_tick, AWAIT_TICK_MS, AWAIT_TICK_MS);
    while (*n < want && uv_hrtime() / 1000000 < limit_ms)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, loop_on_closed);
    while (!closed) /* It is on our stack. */
        uv_run(loop, UV_RUN_NOWAIT);
    return *n >= want;
}

#endif /* LOA_TEST_LOOP_H */
