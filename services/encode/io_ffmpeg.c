#include "encode/io_ffmpeg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "encode/frames.h"

#define EXIT_NO_FFMPEG 127
#define URL_MAX 4200
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

/* Files that are the sound themselves; hls, concat, dash and the like, which
 * name other files, are left out. */
#define FORMATS                                                            \
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov," \
    "mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpeg,mpegts,ogg,tak,tta,voc,w64,wav,wv"

static int exec_ffmpeg(void *data)
{
    struct ffmpeg *f = data;
    char url[URL_MAX], seconds[16];
    int n = snprintf(url, sizeof url, "file:%s", f->path);
    /* A second more than allowed, so that too long is seen as too long. */
    char *argv[] = {"ffmpeg",
                    "-nostdin",
                    "-hide_banner",
                    "-loglevel",
                    "error",
                    "-xerror",
                    "-threads",
                    "1",
                    "-t",
                    seconds,
                    "-protocol_whitelist",
                    "file,pipe",
                    "-format_whitelist",
                    FORMATS,
                    "-i",
                    url,
                    "-map",
                    "0:a:0",
                    "-vn",
                    "-sn",
                    "-dn",
                    "-ac",
                    "1",
                    "-ar",
                    TEXT(48000),
                    "-f",
                    "f32le",
                    "pipe:1",
                    NULL};

    if (n < 0 || (size_t)n >= sizeof url)
        return EXIT_NO_FFMPEG;
    snprintf(seconds, sizeof seconds, "%u", f->duration_s_max + 1);
    execvp(argv[0], argv);
    return EXIT_NO_FFMPEG;
}

static void stop(struct source *source)
{
    child_stop(&((struct ffmpeg *)source)->child);
}

static int start(struct source *source, struct verdict *v)
{
    struct ffmpeg *f = (struct ffmpeg *)source;

    stop(source);
    if (child_start(&f->child, exec_ffmpeg, f) != 0)
        return refuse(v, ENCODE_FAILED, "ffmpeg cannot be started: %s",
                      strerror(errno));
    f->read_n = 0;
    source->rate_hz = LOA_RATE_HZ;
    return ENCODE_OK;
}

static int check_end(struct ffmpeg *f, struct verdict *v)
{
    int code = child_wait(&f->child);

    if (code == 0)
        return ENCODE_OK;
    if (code == EXIT_NO_FFMPEG)
        return refuse(v, ENCODE_NOT_AUDIO,
                      "libsndfile does not read it (%s), and ffmpeg, which "
                      "reads more formats, is not installed; hand in WAV, "
                      "FLAC, Ogg or MP3",
                      f->why);
    if (f->read_n == 0)
        return refuse(v, ENCODE_NOT_AUDIO,
                      "it is not a recording: neither libsndfile (%s) nor "
                      "ffmpeg reads it; hand in WAV, FLAC, Ogg, MP3 or M4A",
                      f->why);
    f->truncated = true;
    if (f->accept_truncated)
        return ENCODE_OK;
    return refuse(v, ENCODE_TRUNCATED,
                  "it is cut off or damaged after %.1f s; copy it again, or "
                  "take what is there with --accept-truncated",
                  (double)f->read_n / LOA_RATE_HZ);
}

static int read_mono(struct source *source,
                     float *mono,
                     size_t n,
                     size_t *got,
                     struct verdict *v)
{
    struct ffmpeg *f = (struct ffmpeg *)source;
    ssize_t len = child_read(&f->child, mono, n * sizeof *mono);

    if (len < 0)
        return refuse(v, ENCODE_FAILED, "ffmpeg's output cannot be read: %s",
                      strerror(errno));
    *got = (size_t)len / sizeof *mono;
    f->read_n += *got;
    return *got < n ? check_end(f, v) : ENCODE_OK;
}

void ffmpeg_init(struct ffmpeg *f,
                 const char *path,
                 const char *why,
                 bool accept_truncated,
                 unsigned duration_s_max)
{
    memset(f, 0, sizeof *f);
    f->source.start = start;
    f->source.read = read_mono;
    f->source.close = stop;
    f->path = path;
    f->why = why;
    f->accept_truncated = accept_truncated;
    f->duration_s_max = duration_s_max;
}
