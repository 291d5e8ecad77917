#include "encode/io_output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".tmp"

/* What a signal handler has to remove; empty when there is nothing. */
static char leftover[PATH_MAX];
static pid_t owner; /* A child that exits has no business with it. */

static int refuse_write(struct verdict *v, int err)
{
    switch (err) {
        case ENOSPC:
        case EDQUOT:
            return refuse(v, ENCODE_NO_ROOM,
                          "the disk is full; make room and hand it in again");
        case EFBIG:
            return refuse(v, ENCODE_NO_ROOM,
                          "the output would be larger than the limit on the "
                          "size of files; lower --bitrate or raise the limit");
        default:
            return refuse(v, ENCODE_UNWRITABLE,
                          "the output cannot be written: %s", strerror(err));
    }
}

void output_unlink(void)
{
    if (leftover[0] != '\0' && getpid() == owner)
        unlink(leftover);
}

int output_open(struct output *o,
                const char *path,
                const struct input *in,
                struct verdict *v)
{
    struct stat st;
    int fd, n;

    memset(o, 0, sizeof *o);
    o->path = path;
    n = snprintf(o->tmp, sizeof o->tmp, "%s" SUFFIX, path);
    if (n < 0 || (size_t)n >= sizeof o->tmp)
        return refuse(v, ENCODE_UNWRITABLE,
                      "the name of the output is too long");
    if (stat(path, &st) == 0 &&
        ((st.st_dev == in->dev && st.st_ino == in->ino) ||
         !S_ISREG(st.st_mode)))
        return refuse(v, ENCODE_UNWRITABLE,
                      "the output %s is the input itself or no regular file",
                      path);
    fd =
        open(o->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return refuse_write(v, errno);
    owner = getpid();
    memcpy(leftover, o->tmp, sizeof leftover);
    atexit(output_unlink); /* Some libraries exit when memory is short. */
    o->file = fdopen(fd, "r+b");
    if (o->file == NULL) {
        close(fd);
        output_abort(o);
        return refuse(v, ENCODE_NO_MEMORY, "out of memory: no output buffer");
    }
    return ENCODE_OK;
}

int output_rewind(struct output *o, struct verdict *v)
{
    o->len = 0;
    if (fflush(o->file) != 0 || fseeko(o->file, 0, SEEK_SET) != 0 ||
        ftruncate(fileno(o->file), 0) != 0)
        return refuse_write(v, errno);
    return ENCODE_OK;
}

int output_append(struct output *o,
                  const void *bytes,
                  size_t len,
                  struct verdict *v)
{
    if (fwrite(bytes, 1, len, o->file) != len)
        return refuse_write(v, errno);
    o->len += len;
    return ENCODE_OK;
}

int output_head(struct output *o,
                const void *bytes,
                size_t len,
                struct verdict *v)
{
    if (fseeko(o->file, 0, SEEK_SET) != 0 ||
        fwrite(bytes, 1, len, o->file) != len ||
        fseeko(o->file, 0, SEEK_END) != 0)
        return refuse_write(v, errno);
    return ENCODE_OK;
}

/* A rename is on the disk only when its directory is. */
static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int fd, rv, err;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rv = fsync(fd);
    err = errno;
    close(fd);
    errno = err;
    return rv;
}

int output_commit(struct output *o, struct verdict *v)
{
    FILE *file = o->file;
    int err = 0;

    if (fflush(file) != 0 || fsync(fileno(file)) != 0)
        err = errno;
    o->file = NULL;
    if (fclose(file) != 0 && err == 0)
        err = errno;
    if (err == 0 && rename(o->tmp, o->path) != 0)
        err = errno;
    if (err != 0) {
        output_abort(o);
        return refuse_write(v, err);
    }
    leftover[0] = '\0';
    if (sync_directory(o->path) != 0)
        return refuse_write(v, errno);
    return ENCODE_OK;
}

void output_abort(struct output *o)
{
    if (o->file != NULL)
        fclose(o->file);
    o->file = NULL;
    output_unlink();
    leftover[0] = '\0';
}
