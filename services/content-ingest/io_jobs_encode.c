#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "content-ingest/io_jobs_steps.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

static void on_progress(void *data, unsigned permille)
{
    struct job *j = data;

    j->jobs->progress(j->jobs->data, j->plan.id,
                      permille * JOBS_ENCODER_PERMILLE / 1000);
}

/* A worker that was told to stop, with us or before us, is not at fault; one
 * that was killed may have taken all memory, which counts; the rest are faults
 * that the file has provoked. */
static void died(struct job *j, int term_signal)
{
    log_warn("worker.died", "signal=%d title=%s", term_signal, j->plan.title);
    if (term_signal == SIGTERM || term_signal == SIGINT)
        job_end(j, INGEST_JOB_AGAIN);
    else if (term_signal == SIGKILL)
        job_end(j, INGEST_JOB_DIED);
    else
        job_fail(j, REFUSE_ENCODER_DIED);
}

static void on_worker(void *data, const struct worker_result *r)
{
    struct job *j = data;
    struct refusal_worker said;

    if (!r->spawned) {
        job_fail(j, REFUSE_ENCODER_MISSING);
    } else if (r->timed_out) {
        job_fail(j, REFUSE_ENCODER_TIME);
    } else if (r->signalled) {
        died(j, j->worker.term_signal);
    } else if (r->exit_code != 0) {
        refusal_worker(r->exit_code, r->said, &said);
        log_info("worker.refused", "exit=%d title=%s text=%s", r->exit_code,
                 j->plan.title, said.en);
        if (said.again)
            job_end(j, INGEST_JOB_AGAIN);
        else
            job_fail_as(j, &(struct refusal_text){said.code, said.vi, said.en});
    } else if (r->done.type != WORKER_LINE_DONE) {
        job_fail(j, REFUSE_ENCODER_OUTPUT);
    } else {
        j->done = r->done;
        job_store(j);
    }
}

/* The encoder speaks "vi", its two other accents, and "en"; a region does not
 * matter to it. */
static const char *voice(const char *language)
{
    if (strcmp(language, "vi-VN") == 0)
        return "vi";
    return strncmp(language, "en-", 3) == 0 ? "en" : language;
}

void job_encode(struct job *j)
{
    const struct jobs_conf *c = &j->jobs->conf;
    const char *args[WORKER_ARGS_MAX];
    char duration[16];
    struct worker_conf conf = {.program = c->encoder,
                               .args = args,
                               .timeout_ms = c->timeout_ms,
                               .on_progress = on_progress,
                               .on_end = on_worker,
                               .data = j};
    size_t n = 0;

    snprintf(duration, sizeof duration, "%u", c->duration_s_max);
    args[n++] = j->plan.media == MEDIA_TEXT ? "text" : "audio";
    args[n++] = j->source_path;
    args[n++] = j->frames_path;
    args[n++] = "--duration-max-s";
    args[n++] = duration;
    if (j->plan.media == MEDIA_TEXT) {
        args[n++] = "--language";
        args[n++] = voice(j->plan.language);
        if (c->dictionary[0] != '\0') {
            args[n++] = "--dictionary";
            args[n++] = c->dictionary;
        }
    }
    conf.args_n = n;
    (void)FAILPOINT("job.encode");
    worker_start(&j->worker, j->jobs->loop, &conf);
}
