#include "encode/io_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encode/promise.h"

int input_open(struct input *in, const char *path, struct verdict *v)
{
    struct stat st;

    /* Not to wait for the other end of a pipe that somebody put there. */
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (in->fd < 0 || fstat(in->fd, &st) != 0) {
        int err = errno;

        if (in->fd >= 0)
            close(in->fd);
        return refuse(v, ENCODE_UNREADABLE, "it cannot be opened: %s",
                      strerror(err));
    }
    if (!S_ISREG(st.st_mode)) {
        close(in->fd);
        return refuse(v, ENCODE_UNREADABLE,
                      "it is no regular file; give a recording or a text file");
    }
    if (st.st_size == 0) {
        close(in->fd);
        return refuse(v, ENCODE_EMPTY,
                      "it is empty (0 bytes); hand it in again");
    }
    in->size = (uint64_t)st.st_size;
    in->dev = st.st_dev;
    in->ino = st.st_ino;
    return ENCODE_OK;
}

void input_close(struct input *in)
{
    close(in->fd);
    in->fd = -1;
}

static size_t read_at(void *data, uint64_t offset, uint8_t *buf, size_t n)
{
    const struct input *in = data;
    ssize_t got = 0;

    if (offset < in->size)
        got = pread(in->fd, buf, n, (off_t)offset);
    return got < 0 ? 0 : (size_t)got;
}

bool input_truncated(const struct input *in, uint64_t *want)
{
    struct promise_file f = {read_at, (void *)in, in->size};

    return promise_check(&f, want) != LOA_OK;
}

int input_read(const struct input *in,
               size_t len_max,
               char **bytes,
               size_t *len,
               struct verdict *v)
{
    size_t at = 0;
    char *buf;

    if (in->size > len_max)
        return refuse(v, ENCODE_TEXT_LONG,
                      "it has %llu bytes of text, over the limit of %zu; "
                      "shorten it or hand it in as parts",
                      (unsigned long long)in->size, len_max);
    buf = malloc(in->size + 1);
    if (buf == NULL)
        return refuse(v, ENCODE_NO_MEMORY, "out of memory while reading it");
    while (at < in->size) {
        ssize_t n = pread(in->fd, buf + at, in->size - at, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(buf);
            return refuse(v, ENCODE_UNREADABLE, "it cannot be read: %s",
                          n < 0 ? strerror(errno) : "it became shorter");
        }
        at += (size_t)n;
    }
    buf[at] = '\0';
    *bytes = buf;
    *len = at;
    return ENCODE_OK;
}

int input_map(const struct input *in, const uint8_t **bytes, struct verdict *v)
{
    void *p = mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, in->fd, 0);

    if (p == MAP_FAILED)
        return refuse(v, ENCODE_NO_MEMORY, "it cannot be mapped: %s",
                      strerror(errno));
    *bytes = p;
    return ENCODE_OK;
}

void input_unmap(const struct input *in, const uint8_t *bytes)
{
    munmap((void *)bytes, in->size);
}
