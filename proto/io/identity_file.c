#include "proto/io/identity_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/io/clock.h"

static int because(char why[IDENTITY_WHY_CAP], const char *path, int rv)
{
    snprintf(why, IDENTITY_WHY_CAP, "%s: %s", path, strerror(errno));
    return rv;
}

/* Read all of fd, at most cap bytes; -1 with errno. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = read(fd, buf + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

int identity_file_read(const char *path,
                       struct loa_identity *id,
                       char why[IDENTITY_WHY_CAP])
{
    char text[LOA_IDENTITY_BYTES_MAX + 1];
    struct stat st;
    size_t line;
    bool open_to_others;
    ssize_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return because(why, path, errno == ENOENT ? LOA_ENOENT : LOA_EACCES);
    open_to_others =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
    len = read_all(fd, text, sizeof text);
    close(fd);
    if (len < 0)
        return because(why, path, LOA_EACCES);
    if (loa_identity_parse(text, (size_t)len, id, &line) != LOA_OK) {
        sodium_memzero(text, sizeof text);
        snprintf(why, IDENTITY_WHY_CAP, "%s:%zu: not an identity file", path,
                 line);
        return LOA_EINVAL;
    }
    sodium_memzero(text, sizeof text);
    /* Asked last: to close other people's files is no good advice. */
    if (open_to_others) {
        sodium_memzero(id, sizeof *id);
        snprintf(why, IDENTITY_WHY_CAP,
                 "%s: others may read this secret; run: chmod 600 %s", path,
                 path);
        return LOA_EACCES;
    }
    return LOA_OK;
}

/* After a rename the directory must reach the disk too, or the name may not. */
static int sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int fd, rv;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rv = fsync(fd);
    close(fd);
    return rv;
}

static int write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n;
    int rv;

    if (fd < 0)
        return -1;
    n = write(fd, text, len);
    rv = n == (ssize_t)len ? fsync(fd) : -1;
    if (n >= 0 && n < (ssize_t)len)
        errno = ENOSPC;
    close(fd);
    return rv;
}

int identity_file_write(const char *path,
                        const struct loa_identity *id,
                        char why[IDENTITY_WHY_CAP])
{
    char text[LOA_IDENTITY_BYTES_MAX], tmp[PATH_MAX];
    int rv = loa_identity_format(id, text, sizeof text);

    if (rv != LOA_OK) {
        snprintf(why, IDENTITY_WHY_CAP, "%s: %s", path, loa_strerror(rv));
        return rv;
    }
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    if (write_file(tmp, text, strlen(text)) != 0 || rename(tmp, path) != 0 ||
        sync_folder(path) != 0) {
        int number = errno;

        rv = because(why, path, errno == ENOSPC ? LOA_ENOSPC : LOA_ESYS);
        unlink(tmp);
        errno = number;
    }
    sodium_memzero(text, sizeof text);
    return rv;
}

int identity_password(void *data, char *buf, size_t cap)
{
    const struct identity_login *l = data;
    uint8_t id[LOA_ID_BYTES];

    randombytes_buf(id, sizeof id);
    return loa_identity_password(l->id, l->broker, l->client_id, id,
                                 clock_wall_ms(), buf, cap);
}
