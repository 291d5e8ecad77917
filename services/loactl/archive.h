/* archive.h -- is this file the sound of that content?
 *
 * Who approves a content listens to its export. The service that hands the file
 * out need not be believed: the frames in it make the content hash, or it is
 * another sound. */

#ifndef LOA_LOACTL_ARCHIVE_H
#define LOA_LOACTL_ARCHIVE_H

#include <stdbool.h>
#include <stdio.h>

#include "loa/v1/content.pb-c.h"
#include "proto/key.h"

/* Read f, an Ogg Opus file, from where it stands to its end. False also for
 * more than one stream, a gain, or ends that a player would cut at. */
bool archive_is(FILE *f, const Loa__V1__ContentManifest *m);

/* The content hash of the sound in f, whatever content it may be. False: no
 * export of ours. */
bool archive_hash(FILE *f, uint8_t hash[LOA_HASH_BYTES]);

#endif /* LOA_LOACTL_ARCHIVE_H */
