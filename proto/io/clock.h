/* clock.h -- the two clocks; cores are told the time, only shells ask. */

#ifndef LOA_PROTO_IO_CLOCK_H
#define LOA_PROTO_IO_CLOCK_H

#include <stdint.h>

/* Unix time, UTC. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* CLOCK_BOOTTIME: nobody sets it either, and it goes on while the machine is
 * suspended. For how long it really was, not for timers. */
int64_t clock_boot_ms(void);

/* CLOCK_MONOTONIC: for deadlines and intervals. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

#endif /* LOA_PROTO_IO_CLOCK_H */
