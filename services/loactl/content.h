/* content.h -- how a content is shown, to all commands alike. */

#ifndef LOA_LOACTL_CONTENT_H
#define LOA_LOACTL_CONTENT_H

#include "loa/v1/services.pb-c.h"
#include "loactl/ctl.h"

/* A line for people, or an object (--json). */
void content_print(const struct ctl *c, const Loa__V1__Content *k);

/* The commands `content approve` and `content export`. */
int content_approve(struct ctl *c);
int content_export(struct ctl *c);

#endif /* LOA_LOACTL_CONTENT_H */
