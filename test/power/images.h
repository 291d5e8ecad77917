/* images.h -- what a disk may hold after a power cut, from a record (oplog.h).
 *
 * The rules are harsher than any one file system: what was written since a
 * file's last fsync may be there or not, each write for itself, in sectors, cut
 * at any byte, or as zeros; a name that was made, moved or removed since its
 * directory's last fsync may have been or not, whatever became of the file. A
 * write before an fsync that failed may never come, even if a later one works.
 */

#ifndef LOA_TEST_POWER_IMAGES_H
#define LOA_TEST_POWER_IMAGES_H

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/power/dice.h"
#include "test/power/folder.h"
#include "test/power/oplog.h"

#define IMAGE_FILES 4096
#define IMAGE_NAMES 64
#define IMAGE_PENDING 8192
#define SECTOR 512

struct entry { /* One of the record. */
    struct op_head h;
    char path[256], path2[256];
    const uint8_t *data;
};

struct bytes {
    uint8_t *p;
    size_t len, cap;
};

struct file {
    uint64_t ino;
    struct bytes durable;
    size_t pending[IMAGE_PENDING]; /* Entries: WRITE, TRUNC. */
    bool lost[IMAGE_PENDING];      /* An fsync failed after it. */
    bool kept[IMAGE_PENDING];      /* Durable, behind one that may be lost. */
    size_t pending_n;
};

struct name {
    char path[256];
    int file; /* -1: a directory. */
};

struct names {
    struct name rows[IMAGE_NAMES];
    size_t n;
};

static struct {
    uint8_t *raw;
    size_t raw_len;
    struct entry *entries;
    size_t n;
    struct file *files[IMAGE_FILES];
    size_t files_n;
    struct names durable;
    size_t moves[IMAGE_PENDING]; /* CREATE, RENAME, UNLINK, MKDIR. */
    int move_file[IMAGE_PENDING];
    bool move_lost[IMAGE_PENDING];
    size_t moves_n;
} disk_model;

/* --- reading a record ----------------------------------------------------- */

static void record_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    long size;
    size_t at = 0, cap = 0;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    rewind(f);
    disk_model.raw_len = (size_t)size;
    disk_model.raw = malloc(disk_model.raw_len + 1);
    if (fread(disk_model.raw, 1, disk_model.raw_len, f) != disk_model.raw_len)
        exit(2);
    fclose(f);
    while (at + sizeof(struct op_head) <= disk_model.raw_len) {
        struct entry *e;

        if (disk_model.n == cap) {
            cap = cap * 2 + 1024;
            disk_model.entries =
                realloc(disk_model.entries, cap * sizeof(struct entry));
        }
        e = &disk_model.entries[disk_model.n++];
        memset(e, 0, sizeof *e);
        memcpy(&e->h, disk_model.raw + at, sizeof e->h);
        at += sizeof e->h;
        memcpy(e->path, disk_model.raw + at, e->h.path_len);
        at += e->h.path_len;
        memcpy(e->path2, disk_model.raw + at, e->h.path2_len);
        at += e->h.path2_len;
        e->data = disk_model.raw + at;
        at += e->h.len;
    }
}

/* --- bytes and names ------------------------------------------------------ */

static void bytes_size(struct bytes *b, size_t len)
{
    if (len > b->cap) {
        b->cap = len * 2;
        b->p = realloc(b->p, b->cap);
        assert(b->p != NULL);
    }
    if (len > b->len)
        memset(b->p + b->len, 0, len - b->len);
    b->len = len;
}

static void bytes_put(struct bytes *b, uint64_t at, const void *p, size_t len)
{
    if (at + len > b->len)
        bytes_size(b, (size_t)at + len);
    if (len > 0)
        memcpy(b->p + at, p, len);
}

static struct name *name_find(struct names *ns, const char *path)
{
    for (size_t i = 0; i < ns->n; i++)
        if (strcmp(ns->rows[i].path, path) == 0)
            return &ns->rows[i];
    return NULL;
}

static void name_set(struct names *ns, const char *path, int file)
{
    struct name *n = name_find(ns, path);

    if (n == NULL) {
        assert(ns->n < IMAGE_NAMES);
        n = &ns->rows[ns->n++];
        snprintf(n->path, sizeof n->path, "%s", path);
    }
    n->file = file;
}

static void name_drop(struct names *ns, const char *path)
{
    struct name *n = name_find(ns, path);

    if (n != NULL)
        *n = ns->rows[--ns->n];
}

static void move_apply(struct names *ns, const struct entry *e, int file)
{
    if (e->h.op == OP_UNLINK) {
        name_drop(ns, e->path);
    } else if (e->h.op == OP_RENAME) {
        if (name_find(ns, e->path) != NULL)
            name_drop(ns, e->path);
        name_set(ns, e->path2, file);
    } else {
        name_set(ns, e->path, file);
    }
}

static struct names names_now(void)
{
    struct names now = disk_model.durable;

    for (size_t i = 0; i < disk_model.moves_n; i++)
        move_apply(&now, &disk_model.entries[disk_model.moves[i]],
                   disk_model.move_file[i]);
    return now;
}

/* --- the model, one entry further ----------------------------------------- */

static struct file *file_of(uint64_t ino)
{
    for (size_t i = disk_model.files_n; i > 0; i--)
        if (disk_model.files[i - 1]->ino == ino)
            return disk_model.files[i - 1];
    return NULL;
}

static int file_new(uint64_t ino)
{
    struct file *f = calloc(1, sizeof *f);

    assert(f != NULL && disk_model.files_n < IMAGE_FILES);
    f->ino = ino;
    disk_model.files[disk_model.files_n] = f;
    return (int)disk_model.files_n++;
}

static void data_apply(struct bytes *b, const struct entry *e)
{
    if (e->h.op == OP_TRUNC)
        bytes_size(b, (size_t)e->h.at);
    else
        bytes_put(b, e->h.at, e->data, (size_t)e->h.len);
}

static void file_sync(struct file *f)
{
    bool doubt = false;
    size_t k = 0;

    for (size_t i = 0; i < f->pending_n; i++) {
        doubt = doubt || f->lost[i];
        f->kept[i] = !f->lost[i];
        if (!doubt) {
            data_apply(&f->durable, &disk_model.entries[f->pending[i]]);
            continue;
        }
        f->pending[k] = f->pending[i];
        f->lost[k] = f->lost[i];
        f->kept[k++] = f->kept[i];
    }
    f->pending_n = k;
}

static bool in_folder(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    const char *rest = n == 0 ? path : path + n + 1;

    return (n == 0 || (strncmp(path, folder, n) == 0 && path[n] == '/')) &&
           strchr(rest, '/') == NULL;
}

static void moves_sync(const char *folder, bool all)
{
    size_t k = 0;

    for (size_t i = 0; i < disk_model.moves_n; i++) {
        const struct entry *e = &disk_model.entries[disk_model.moves[i]];

        if ((all || in_folder(e->path, folder)) && !disk_model.move_lost[i]) {
            move_apply(&disk_model.durable, e, disk_model.move_file[i]);
            continue;
        }
        disk_model.moves[k] = disk_model.moves[i];
        disk_model.move_lost[k] = disk_model.move_lost[i];
        disk_model.move_file[k++] = disk_model.move_file[i];
    }
    disk_model.moves_n = k;
}

static void move_add(size_t at, int file)
{
    assert(disk_model.moves_n < IMAGE_PENDING);
    disk_model.moves[disk_model.moves_n] = at;
    disk_model.move_lost[disk_model.moves_n] = false;
    disk_model.move_file[disk_model.moves_n++] = file;
}

static void model_wipe(void)
{
    disk_model.files_n = 0; /* Small, and few: not given back. */
    disk_model.durable.n = disk_model.moves_n = 0;
}

static void on_data(size_t at, struct file *f)
{
    if (f == NULL)
        return; /* A file from before the record, which nobody reads. */
    assert(f->pending_n < IMAGE_PENDING);
    f->lost[f->pending_n] = f->kept[f->pending_n] = false;
    f->pending[f->pending_n++] = at;
}

static void on_sync_failed(struct file *f)
{
    for (size_t i = 0; f != NULL && i < f->pending_n; i++)
        f->lost[i] = !f->kept[i];
}

static void model_step(size_t at)
{
    const struct entry *e = &disk_model.entries[at];
    struct names now;
    struct name *n;

    switch ((enum op)e->h.op) {
        case OP_CREATE:
            move_add(at, file_new(e->h.ino));
            break;
        case OP_MKDIR:
            move_add(at, -1);
            break;
        case OP_RENAME:
            now = names_now();
            n = name_find(&now, e->path);
            move_add(at, n != NULL ? n->file : -1);
            break;
        case OP_UNLINK:
            move_add(at, -1);
            break;
        case OP_WRITE:
        case OP_TRUNC:
            on_data(at, file_of(e->h.ino));
            break;
        case OP_SYNC:
            if (file_of(e->h.ino) != NULL)
                file_sync(file_of(e->h.ino));
            break;
        case OP_SYNC_DIR:
            moves_sync(e->path, false);
            break;
        case OP_SYNC_ALL:
            moves_sync("", true);
            for (size_t i = 0; i < disk_model.files_n; i++)
                file_sync(disk_model.files[i]);
            break;
        case OP_SYNC_FAILED:
            on_sync_failed(file_of(e->h.ino));
            break;
        case OP_SYNC_DIR_FAILED:
            /* Names are in a journal: what failed comes with the next. */
            break;
        case OP_WIPED:
            model_wipe();
            break;
        case OP_LEFT:
            name_set(&disk_model.durable, e->path,
                     e->h.ino == 0 ? -1 : file_new(e->h.ino));
            if (e->h.ino != 0)
                bytes_put(&file_of(e->h.ino)->durable, 0, e->data,
                          (size_t)e->h.len);
            break;
        case OP_MARK:
            break;
    }
}

/* --- an image ------------------------------------------------------------- */

enum fate { KEEP_ALL, DROP_ALL, PREFIX, SUBSET, TORN, ZEROS, FLIP, FATES };
static const char *const fate_names[FATES] = {
    "kept", "dropped", "prefix", "subset", "torn", "zeros", "flipped"};

/* A write of which only a part came. */
static void apply_torn(struct bytes *b, const struct entry *e, bool zeros)
{
    size_t len = (size_t)e->h.len, cut = (size_t)chance_of(len + 1);

    if (zeros) { /* The size came, the bytes did not. */
        if (e->h.at + len > b->len)
            bytes_size(b, (size_t)e->h.at + len);
    } else if (chance_of(2) == 0) {
        bytes_put(b, e->h.at, e->data, cut);
    } else { /* Sector by sector. */
        for (size_t i = 0; i < len;) {
            size_t n = SECTOR - (size_t)((e->h.at + i) % SECTOR);

            n = n < len - i ? n : len - i;
            if (chance_of(2) == 0)
                bytes_put(b, e->h.at + i, e->data + i, n);
            i += n;
        }
    }
}

static void file_content(const struct file *f, enum fate fate, struct bytes *b)
{
    size_t first_n = (size_t)chance_of(f->pending_n + 1), torn = f->pending_n;

    b->len = 0;
    bytes_put(b, 0, f->durable.p, f->durable.len);
    if ((fate == TORN || fate == ZEROS) && f->pending_n > 0)
        torn = chance_of(2) == 0 ? f->pending_n - 1
                                 : (size_t)chance_of(f->pending_n);
    for (size_t i = 0; i < f->pending_n; i++) {
        const struct entry *e = &disk_model.entries[f->pending[i]];
        bool keep = fate == KEEP_ALL || fate == FLIP || fate == TORN ||
                    fate == ZEROS || (fate == PREFIX && i < first_n) ||
                    (fate == SUBSET && chance_of(2) == 0);

        if (f->lost[i])
            keep = chance_of(2) == 0;
        if (i == torn && !f->kept[i] && e->h.op == OP_WRITE)
            apply_torn(b, e, fate == ZEROS);
        else if (keep || f->kept[i])
            data_apply(b, e);
    }
}

static struct names image_names(enum fate fate)
{
    struct names ns = disk_model.durable;
    size_t n = disk_model.moves_n;
    size_t first_n = fate == DROP_ALL ? 0
                     : fate == PREFIX || fate == TORN || fate == ZEROS
                         ? (size_t)chance_of(n + 1)
                         : n;

    for (size_t i = 0; i < n; i++)
        if (fate == SUBSET ? chance_of(2) == 0 : i < first_n)
            move_apply(&ns, &disk_model.entries[disk_model.moves[i]],
                       disk_model.move_file[i]);
    return ns;
}

static void file_write(const char *path, const struct bytes *b)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, b->p, b->len) != (ssize_t)b->len) {
        perror(path);
        exit(2);
    }
    close(fd);
}

/* Makes the image in `folder`. 1 to 3 bits of one file are flipped at FLIP. */
static void image_make(const char *folder, enum fate fate)
{
    static struct bytes b;
    struct names ns = image_names(fate);
    size_t chosen = fate == FLIP ? (size_t)chance_of(ns.n) : ns.n;
    char path[4096];

    folder_wipe(folder);
    flipped[0] = '\0';
    for (size_t i = 0; i < ns.n; i++)
        if (ns.rows[i].file < 0) {
            snprintf(path, sizeof path, "%s/%s", folder, ns.rows[i].path);
            mkdir(path, 0700);
        }
    for (size_t i = 0; i < ns.n; i++) {
        if (ns.rows[i].file < 0)
            continue;
        file_content(disk_model.files[ns.rows[i].file], fate, &b);
        if (i == chosen && b.len > 0) {
            for (uint64_t n = 1 + chance_of(3); n > 0; n--)
                b.p[chance_of(b.len)] ^= (uint8_t)(1u << chance_of(8));
            snprintf(flipped, sizeof flipped, "%s", ns.rows[i].path);
        }
        snprintf(path, sizeof path, "%s/%s", folder, ns.rows[i].path);
        if (strchr(ns.rows[i].path, '/') != NULL) {
            /* A file in a directory whose own name was lost. */
            char up[4096];

            snprintf(up, sizeof up, "%s", path);
            *strrchr(up, '/') = '\0';
            if (access(up, F_OK) != 0)
                continue;
        }
        file_write(path, &b);
    }
}

#endif /* LOA_TEST_POWER_IMAGES_H */
