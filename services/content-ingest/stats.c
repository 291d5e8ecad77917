#include "content-ingest/stats.h"

#include <string.h>

static const double minutes[] = {0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600};

static const struct metric metrics[STATS_N] = {
    [STATS_UPLOADS_BEGUN] =
        METRIC_COUNTER_INIT("loa_content_uploads_total", "Uploads begun", NULL),
    [STATS_REFUSED] = METRIC_COUNTER_INIT("loa_content_requests_refused_total",
                                          "Requests refused with a sentence",
                                          NULL),
    [STATS_PARTS] = METRIC_COUNTER_INIT("loa_content_parts_total",
                                        "Parts of uploads made durable",
                                        NULL),
    [STATS_UPLOAD_BYTES] = METRIC_COUNTER_INIT("loa_content_upload_bytes_total",
                                               "Bytes of those parts",
                                               NULL),
    [STATS_UPLOADS_RECEIVING] = METRIC_GAUGE_INIT("loa_content_uploads",
                                                  "Unfinished uploads",
                                                  "stage=\"receiving\""),
    [STATS_UPLOADS_WAITING] = METRIC_GAUGE_INIT("loa_content_uploads",
                                                "Unfinished uploads",
                                                "stage=\"waiting\""),
    [STATS_UPLOADS_ENCODING] = METRIC_GAUGE_INIT("loa_content_uploads",
                                                 "Unfinished uploads",
                                                 "stage=\"encoding\""),
    [STATS_JOBS_DONE] = METRIC_COUNTER_INIT("loa_content_jobs_total",
                                            "Encodings ended",
                                            "outcome=\"done\""),
    [STATS_JOBS_REFUSED] = METRIC_COUNTER_INIT("loa_content_jobs_total",
                                               "Encodings ended",
                                               "outcome=\"refused\""),
    [STATS_JOBS_AGAIN] = METRIC_COUNTER_INIT("loa_content_jobs_total",
                                             "Encodings ended",
                                             "outcome=\"again\""),
    [STATS_ENCODE_SECONDS] =
        METRIC_HISTOGRAM_INIT("loa_content_encode_seconds",
                              "From the start of a job to its content",
                              NULL,
                              minutes),
    [STATS_SOUND_SECONDS] =
        METRIC_COUNTER_INIT("loa_content_sound_seconds_total",
                            "Length of all sound that was encoded",
                            NULL),
    [STATS_APPROVALS] = METRIC_COUNTER_INIT("loa_content_approvals_total",
                                            "Approvals taken",
                                            NULL),
    [STATS_PROGRAMMES] = METRIC_COUNTER_INIT("loa_content_programmes_total",
                                             "Programmes taken",
                                             NULL),
    [STATS_PROGRAMMES_REFUSED] =
        METRIC_COUNTER_INIT("loa_content_programmes_refused_total",
                            "Programmes that were not believed",
                            NULL),
    [STATS_NEEDS] = METRIC_GAUGE_INIT("loa_content_needs",
                                      "Contents in programmes, by area",
                                      NULL),
    [STATS_NEEDS_UNPUSHED] = METRIC_GAUGE_INIT("loa_content_needs_unpushed",
                                               "Those that are not pushed yet",
                                               NULL),
    [STATS_PUSHES] = METRIC_COUNTER_INIT("loa_content_pushes_total",
                                         "Contents pushed to an area",
                                         NULL),
    [STATS_PACKETS_PUSHED] =
        METRIC_COUNTER_INIT("loa_content_packets_sent_total",
                            "Packets published",
                            "for=\"push\""),
    [STATS_PACKETS_REPAIRED] =
        METRIC_COUNTER_INIT("loa_content_packets_sent_total",
                            "Packets published",
                            "for=\"repair\""),
    [STATS_WANTS] = METRIC_COUNTER_INIT("loa_content_wants_total",
                                        "Wants of devices taken",
                                        NULL),
    [STATS_WANTS_REFUSED] =
        METRIC_COUNTER_INIT("loa_content_wants_refused_total",
                            "Wants malformed or too many of one device",
                            NULL),
    [STATS_WANT_MARKED] =
        METRIC_COUNTER_INIT("loa_content_want_packets_total",
                            "Packets wanted, by what became of them",
                            "outcome=\"marked\""),
    [STATS_WANT_MERGED] =
        METRIC_COUNTER_INIT("loa_content_want_packets_total",
                            "Packets wanted, by what became of them",
                            "outcome=\"merged\""),
    [STATS_WANT_PROMISED] =
        METRIC_COUNTER_INIT("loa_content_want_packets_total",
                            "Packets wanted, by what became of them",
                            "outcome=\"pushed-soon\""),
    [STATS_WANT_UNKNOWN] =
        METRIC_COUNTER_INIT("loa_content_want_packets_total",
                            "Packets wanted, by what became of them",
                            "outcome=\"unknown\""),
    [STATS_WANT_DROPPED] =
        METRIC_COUNTER_INIT("loa_content_want_packets_total",
                            "Packets wanted, by what became of them",
                            "outcome=\"dropped\""),
    [STATS_WANT_PENDING] = METRIC_GAUGE_INIT("loa_content_want_pending",
                                             "Packets to be repaired",
                                             NULL),
    [STATS_CACHE_HITS] = METRIC_COUNTER_INIT("loa_content_blocks_total",
                                             "Blocks of packets looked up",
                                             "from=\"memory\""),
    [STATS_CACHE_MISSES] = METRIC_COUNTER_INIT("loa_content_blocks_total",
                                               "Blocks of packets looked up",
                                               "from=\"database\""),
    [STATS_EXPORTS] = METRIC_COUNTER_INIT("loa_content_exports_total",
                                          "Ogg Opus files made",
                                          NULL),
    [STATS_DELETED] =
        METRIC_COUNTER_INIT("loa_content_deletions_total",
                            "Contents whose grace was over, by what became of "
                            "them; unanswered: tried again",
                            "outcome=\"deleted\""),
    [STATS_DELETE_IN_USE] =
        METRIC_COUNTER_INIT("loa_content_deletions_total",
                            "Contents whose grace was over, by what became of "
                            "them; unanswered: tried again",
                            "outcome=\"in-use\""),
    [STATS_DELETE_UNANSWERED] =
        METRIC_COUNTER_INIT("loa_content_deletions_total",
                            "Contents whose grace was over, by what became of "
                            "them; unanswered: tried again",
                            "outcome=\"unanswered\""),
    [STATS_FREE_BYTES] = METRIC_GAUGE_INIT("loa_content_disk_free_bytes",
                                           "Free bytes of the watched disk",
                                           NULL),
};

void stats_init(struct stats *s)
{
    memcpy(s->m, metrics, sizeof s->m);
}
