#include <espeak-ng/espeak_ng.h>
#include <espeak-ng/speak_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "encode/tts.h"

#define BUFFER_MS 200

static const struct {
    const char *language, *voice;
} voices[] = {
    {"vi", "vi"},
    {"vi-central", "vi-VN-x-central"},
    {"vi-south", "vi-VN-x-south"},
    {"en", "en"},
};

/* The library calls back without saying for whom before it has events. */
static struct {
    tts_pcm_cb cb;
    void *data;
    bool stopped;
} now;

static int on_samples(short *samples, int n, espeak_EVENT *events)
{
    (void)events;
    if (samples != NULL && n > 0 && !now.stopped &&
        now.cb(samples, (size_t)n, now.data) != 0)
        now.stopped = true;
    return now.stopped;
}

/* The library looks for a sound server even when it only has to hand samples
 * over, and the client library would write into the home directory or start
 * one. Nothing of that may happen in a service. */
static int no_sound_server(void)
{
    return setenv("PULSE_SERVER", "unix:/nonexistent", 1) != 0 ||
           setenv("PULSE_COOKIE", "/dev/null", 1) != 0 ||
           setenv("PULSE_CLIENTCONFIG", "/dev/null", 1) != 0;
}

static int espeak_open(struct tts *t,
                       const char *language,
                       unsigned rate_wpm,
                       unsigned *rate_hz)
{
    const char *voice = NULL;

    (void)t;
    for (size_t i = 0; i < sizeof voices / sizeof voices[0]; i++)
        if (strcmp(voices[i].language, language) == 0)
            voice = voices[i].voice;
    if (voice == NULL)
        return LOA_ENOENT;
    if (no_sound_server())
        return LOA_ESYS;
    espeak_ng_InitializePath(NULL);
    if (espeak_ng_Initialize(NULL) != ENS_OK ||
        espeak_ng_SetVoiceByName(voice) != ENS_OK)
        return LOA_ENOENT;
    if (espeak_ng_InitializeOutput(ENOUTPUT_MODE_SYNCHRONOUS, BUFFER_MS,
                                   NULL) != ENS_OK ||
        espeak_ng_SetParameter(espeakRATE, (int)rate_wpm, 0) != ENS_OK)
        return LOA_ESYS;
    espeak_SetSynthCallback(on_samples);
    *rate_hz = (unsigned)espeak_ng_GetSampleRate();
    return LOA_OK;
}

static int espeak_speak(struct tts *t,
                        const char *text,
                        tts_pcm_cb cb,
                        void *data)
{
    espeak_ng_STATUS status;

    (void)t;
    now.cb = cb;
    now.data = data;
    now.stopped = false;
    status =
        espeak_ng_Synthesize(text, strlen(text) + 1, 0, POS_CHARACTER, 0,
                             espeakCHARS_UTF8 | espeakENDPAUSE, NULL, NULL);
    return status == ENS_OK && !now.stopped ? LOA_OK : LOA_ESYS;
}

static void espeak_close(struct tts *t)
{
    (void)t;
    espeak_ng_Terminate();
}

struct tts *tts_espeak(void)
{
    static struct tts espeak = {espeak_open, espeak_speak, espeak_close};

    return &espeak;
}
