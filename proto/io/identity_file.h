/* identity_file.h -- the identity file on disk, and the MQTT password from it.
 *
 * See proto/identity.h for the format. The file holds a secret: it is written
 * with mode 0600, and one that others may read is refused. */

#ifndef LOA_PROTO_IO_IDENTITY_FILE_H
#define LOA_PROTO_IO_IDENTITY_FILE_H

#include "proto/identity.h"

#define IDENTITY_WHY_CAP 256

/* Read path into *id. On error why holds one sentence, and errno what the
 * system said, if it was the system. LOA_ENOENT: there is no
 * such file; LOA_EACCES: unreadable, or readable by others; LOA_EINVAL: not an
 * identity file. */
LOA_MUST_CHECK int identity_file_read(const char *path,
                                      struct loa_identity *id,
                                      char why[IDENTITY_WHY_CAP]);

/* Write *id to path so that a power cut leaves the old file or the new one.
 * LOA_ENOSPC: the disk is full; LOA_ESYS: anything else; why tells. */
LOA_MUST_CHECK int identity_file_write(const char *path,
                                       const struct loa_identity *id,
                                       char why[IDENTITY_WHY_CAP]);

/* What a password callback needs; lent as its data. */
struct identity_login {
    const struct loa_identity *id;
    const char *broker;
    const char *client_id;
};

/* A mqtt_conf.password: signs the present time. data is an identity_login. */
int identity_password(void *data, char *buf, size_t cap);

#endif /* LOA_PROTO_IO_IDENTITY_FILE_H */
