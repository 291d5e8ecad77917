/* failpoint.h -- named places where a test makes a program fail or stop.
 *
 * LOA_FAILPOINT=name:nth:action, with action abort (as kill -9), eio, or
 * delay[=ms] (100 by default), acts at the nth time the place is passed, from
 * 1; nth 0 is every time. Several are parted by commas. Compiled in only with
 * -DLOA_FAILPOINTS (make TEST=1), and otherwise costs nothing. */

#ifndef LOA_PROTO_IO_FAILPOINT_H
#define LOA_PROTO_IO_FAILPOINT_H

/* FAILPOINT("pg.commit") is LOA_OK, or LOA_ESYS when the test wants a failure
 * here; treat it as the failure of the operation that follows. */
#ifdef LOA_FAILPOINTS
#define FAILPOINT(name) failpoint(name)
int failpoint(const char *name);
#else
#define FAILPOINT(name) 0
#endif

#endif /* LOA_PROTO_IO_FAILPOINT_H */
