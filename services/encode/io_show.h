/* io_show.h -- what is in a .loaframes file, for people and for scripts. */

#ifndef LOA_ENCODE_IO_SHOW_H
#define LOA_ENCODE_IO_SHOW_H

#include <stdbool.h>

#include "encode/verdict.h"

/* Read and check the whole file; print length, bitrate, content hash. */
int show_run(const char *path, bool json, struct verdict *v);

#endif /* LOA_ENCODE_IO_SHOW_H */
