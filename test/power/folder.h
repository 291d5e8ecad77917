/* folder.h -- emptying and copying a small folder. */

#ifndef LOA_TEST_POWER_FOLDER_H
#define LOA_TEST_POWER_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that is flipped; "" for none. */
static char flipped[256];

static void folder_wipe(const char *path)
{
    char name[4096];
    DIR *d = opendir(path);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0) {
            folder_wipe(name);
            rmdir(name);
        }
    }
    if (d != NULL)
        closedir(d);
}

__attribute__((unused)) static void folder_copy(const char *from,
                                                const char *to)
{
    static uint8_t data[1 << 20];
    char a[4096], b[4096];
    DIR *d = opendir(from);
    struct dirent *e;

    mkdir(to, 0700);
    while (d != NULL && (e = readdir(d)) != NULL) {
        int in, out;
        ssize_t n;

        if (e->d_name[0] == '.')
            continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        if (e->d_type == DT_DIR) {
            folder_copy(a, b);
            continue;
        }
        in = open(a, O_RDONLY);
        out = open(b, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        n = read(in, data, sizeof data);
        if (in < 0 || out < 0 || n < 0 || write(out, data, (size_t)n) != n)
            exit(2);
        close(in);
        close(out);
    }
    if (d != NULL)
        closedir(d);
}

#endif /* LOA_TEST_POWER_FOLDER_H */
