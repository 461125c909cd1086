/* A driver library without a driver: what nvidia-ml-py asks, answered from the environment.
 *
 * FAKE_GPUS is how many there are (0). FAKE_INIT is what nvmlInit returns (0). FAKE_<n>_<WHAT> says
 * of GPU n: PID (0: no process), PID2, UTILISATION (%), FREE_MIB (80000), MIG, MODE, REASONS, LOST
 * (all 0). Functions that this file lacks are those of newer drivers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned gpu, memory; } rates_t;
typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute; } process_t;

static long env(const char *name, long fallback) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 0) : fallback;
}

static long of(void *gpu, const char *what, long fallback) {
    char name[64];
    snprintf(name, sizeof name, "FAKE_%ld_%s", (long)gpu - 1, what);
    return env(name, fallback);
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return (int)env("FAKE_INIT", 0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "told by the fake driver"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, "570.86.15");
    return OK;
}
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12080; return OK; }

int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)env("FAKE_GPUS", 0); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu) {
    *gpu = (void *)(long)(index + 1);
    return of(*gpu, "LOST", 0) ? GPU_IS_LOST : OK;
}
int nvmlDeviceGetName(void *gpu, char *text, unsigned size) {
    (void)gpu;
    snprintf(text, size, "NVIDIA H100 80GB HBM3");
    return OK;
}
int nvmlDeviceGetUUID(void *gpu, char *text, unsigned size) {
    snprintf(text, size, "GPU-00000000-0000-0000-0000-%012ld", (long)gpu - 1);
    return OK;
}

int nvmlDeviceGetMigMode(void *gpu, unsigned *current, unsigned *pending) {
    *current = *pending = (unsigned)of(gpu, "MIG", 0);
    return OK;
}
int nvmlDeviceGetComputeMode(void *gpu, unsigned *mode) {
    *mode = (unsigned)of(gpu, "MODE", 0);
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *count, process_t *found) {
    unsigned pids[2] = {(unsigned)of(gpu, "PID", 0), (unsigned)of(gpu, "PID2", 0)};
    unsigned have = !!pids[0] + !!pids[1], room = *count;
    *count = have;
    if (room < have) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < have; i++) {
        memset(&found[i], 0, sizeof found[i]);
        found[i].pid = pids[i];
        found[i].used = (i + 1ull) << 30;
    }
    return OK;
}
int nvmlDeviceGetUtilizationRates(void *gpu, rates_t *rates) {
    rates->gpu = (unsigned)of(gpu, "UTILISATION", 0);
    rates->memory = 0;
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *gpu, memory_t *memory) {
    memory->total = 81559ull << 20;
    memory->free = (unsigned long long)of(gpu, "FREE_MIB", 80000) << 20;
    memory->used = memory->total - memory->free;
    return OK;
}

int nvmlDeviceGetClockInfo(void *gpu, unsigned which, unsigned *mhz) {
    (void)gpu;
    *mhz = which == 1 ? 1980 : 2619;
    return OK;
}
int nvmlDeviceGetTemperature(void *gpu, unsigned sensor, unsigned *celsius) {
    (void)gpu; (void)sensor;
    *celsius = 41;
    return OK;
}
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *mw) { (void)gpu; *mw = 121500; return OK; }
int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *mw) { (void)gpu; *mw = 700000; return OK; }
int nvmlDeviceGetCurrentClocksEventReasons(void *gpu, unsigned long long *reasons) {
    *reasons = (unsigned long long)of(gpu, "REASONS", 0);
    return OK;
}
int nvmlDeviceGetTotalEccErrors(void *gpu, unsigned kind, unsigned counter, unsigned long long *n) {
    (void)gpu; (void)kind; (void)counter; (void)n;
    return NOT_SUPPORTED;
}
