/* io_ogg.h -- frames as an Ogg Opus file (RFC 7845) that any player opens.
 *
 * The packets go over as they are: nothing is encoded again. */

#ifndef LOA_ENCODE_IO_OGG_H
#define LOA_ENCODE_IO_OGG_H

#include "encode/config.h"

/* Write c->out from the frames file c->in, with its tags. */
int ogg_export(const struct config *c, struct verdict *v);

#endif /* LOA_ENCODE_IO_OGG_H */
