/* A driver library without a driver: what nvidia-ml-py asks, answered from the environment.
 *
 * FAKE_GPUS is how many there are (0). FAKE_INIT is what nvmlInit returns (0). FAKE_<n>_<WHAT> says
 * of GPU n what the functions below ask with `of`; each has its usual value beside it. A value that
 * begins with @ names a file that has the number, read each time, 0 while it is not there; one
 * of -1 is not supported. Functions that this file lacks are those of newer drivers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, INSUFFICIENT_SIZE = 7,
    FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15
};

typedef unsigned long long u64;
typedef struct { u64 total, free, used; } memory_t;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory2_t;
typedef struct { unsigned gpu, memory; } rates_t;
typedef struct { unsigned version, value; } addressing_t;
typedef struct { unsigned pid; u64 used; unsigned instance, compute; } process_t;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; } pci_t;
typedef struct {
    unsigned field, scope; long long at, latency; unsigned type, result; u64 value;
} field_t;

static long number(const char *text) {
    char line[32] = "0";
    if (text[0] != '@') return strtol(text, NULL, 0);
    FILE *file = fopen(text + 1, "r");
    if (file == NULL) return 0;
    if (fgets(line, sizeof line, file) == NULL) line[0] = 0;
    fclose(file);
    return strtol(line, NULL, 0);
}

static long env(const char *name, long fallback) {
    const char *text = getenv(name);
    return text ? number(text) : fallback;
}

static long of(void *gpu, const char *what, long fallback) {
    char name[64];
    snprintf(name, sizeof name, "FAKE_%ld_%s", (long)gpu - 1, what);
    return env(name, fallback);
}

static int told(void *gpu, const char *what, long fallback, unsigned *value) {
    long found = of(gpu, what, fallback);
    *value = (unsigned)found;
    return found < 0 ? NOT_SUPPORTED : OK;
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
int nvmlDeviceGetPciInfo_v3(void *gpu, pci_t *pci) {
    memset(pci, 0, sizeof *pci);
    pci->bus = 0xc0 + (unsigned)(long)gpu; /* 0000:c1:00 is GPU 0 */
    return OK;
}

int nvmlDeviceGetMigMode(void *gpu, unsigned *current, unsigned *pending) {
    *pending = 0;
    return told(gpu, "MIG", 0, current);
}
int nvmlDeviceGetComputeMode(void *gpu, unsigned *mode) { return told(gpu, "MODE", 0, mode); }

static int processes(void *gpu, const char *one, const char *two, unsigned *count, process_t *found) {
    long pids[2] = {of(gpu, one, 0), of(gpu, two, 0)};
    unsigned have = !!pids[0] + !!pids[1], room = *count;
    if (pids[0] < 0) return NO_PERMISSION;
    *count = have;
    if (room < have) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < have; i++) {
        memset(&found[i], 0, sizeof found[i]);
        found[i].pid = (unsigned)(pids[i] ? pids[i] : pids[1]);
        found[i].used = (i + 1ull) << 30;
    }
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v2(void *gpu, unsigned *count, process_t *found) {
    return processes(gpu, "PID", "PID2", count, found);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *count, process_t *found) {
    return of(gpu, "OLD", 0) ? FUNCTION_NOT_FOUND : processes(gpu, "PID", "PID2", count, found);
}
int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *gpu, unsigned *count, process_t *found) {
    return processes(gpu, "MPS_PID", "MPS_PID2", count, found);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *gpu, unsigned *count, process_t *found) {
    return processes(gpu, "DRAWING_PID", "DRAWING_PID2", count, found);
}
int nvmlDeviceGetUtilizationRates(void *gpu, rates_t *rates) {
    rates->memory = 0;
    return told(gpu, "UTILISATION", 0, &rates->gpu);
}
int nvmlDeviceGetAddressingMode(void *gpu, addressing_t *mode) {
    return told(gpu, "ADDRESSING", 0, &mode->value);
}
int nvmlDeviceGetMemoryInfo_v2(void *gpu, memory2_t *memory) {
    if (of(gpu, "OLD", 0)) return FUNCTION_NOT_FOUND;
    memory->total = 81559ull << 20;
    memory->reserved = 559ull << 20;
    memory->used = (u64)of(gpu, "USED_MIB", 0) << 20;
    memory->free = memory->total - memory->reserved - memory->used;
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *gpu, memory_t *memory) {
    memory->total = 81559ull << 20;
    memory->used = (559ull + (u64)of(gpu, "USED_MIB", 0)) << 20;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetClockInfo(void *gpu, unsigned which, unsigned *mhz) {
    (void)gpu;
    *mhz = which == 1 ? 1980 : 2619;
    return OK;
}
int nvmlDeviceGetTemperature(void *gpu, unsigned sensor, unsigned *celsius) {
    (void)sensor;
    return told(gpu, "CELSIUS", 41, celsius);
}
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *mw) {
    int lost = (int)of(gpu, "LOST_LATE", 0);
    return lost ? GPU_IS_LOST : told(gpu, "MILLIWATTS", 121500, mw);
}
int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *mw) { (void)gpu; *mw = 700000; return OK; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, u64 *reasons) {
    *reasons = (u64)of(gpu, "REASONS", 0);
    return OK;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *gpu, u64 *reasons) {
    if (of(gpu, "OLD", 0)) return FUNCTION_NOT_FOUND;
    return nvmlDeviceGetCurrentClocksThrottleReasons(gpu, reasons);
}

/* Errors: nothing is told unless it is said. */
int nvmlDeviceGetTotalEccErrors(void *gpu, unsigned kind, unsigned counter, u64 *count) {
    static const char *names[2][2] = {{"ECC_C", "ECC_C_EVER"}, {"ECC_U", "ECC_U_EVER"}};
    long found = of(gpu, names[kind][counter], -1);
    *count = (u64)found;
    return found < 0 ? NOT_SUPPORTED : OK;
}
int nvmlDeviceGetRemappedRows(void *gpu, unsigned *c, unsigned *u, unsigned *pending, unsigned *failed) {
    *u = (unsigned)of(gpu, "ROWS_U", 0);
    *pending = (unsigned)of(gpu, "ROWS_PENDING", 0);
    *failed = (unsigned)of(gpu, "ROWS_FAILED", 0);
    return told(gpu, "ROWS_C", -1, c);
}
int nvmlDeviceGetRetiredPages(void *gpu, unsigned cause, unsigned *count, u64 *pages) {
    long have = of(gpu, cause ? "PAGES_U" : "PAGES_C", -1);
    unsigned room = *count;
    if (have < 0) return NOT_SUPPORTED;
    *count = (unsigned)have;
    if (room < *count) return INSUFFICIENT_SIZE;
    if (pages) memset(pages, 0, *count * sizeof *pages);
    return OK;
}
int nvmlDeviceGetRetiredPagesPendingStatus(void *gpu, unsigned *pending) {
    return told(gpu, "PAGES_PENDING", -1, pending);
}
int nvmlDeviceGetPcieReplayCounter(void *gpu, unsigned *count) {
    return told(gpu, "PCIE_REPLAYS", -1, count);
}
int nvmlDeviceGetCurrPcieLinkWidth(void *gpu, unsigned *lanes) {
    return told(gpu, "PCIE_WIDTH", -1, lanes);
}
int nvmlDeviceGetMaxPcieLinkWidth(void *gpu, unsigned *lanes) { (void)gpu; *lanes = 16; return OK; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *gpu, unsigned *generation) {
    return told(gpu, "PCIE_GENERATION", -1, generation);
}
int nvmlDeviceGetMaxPcieLinkGeneration(void *gpu, unsigned *generation) {
    (void)gpu;
    *generation = 5;
    return OK;
}

/* NVLINKS has 18 links, of which that many are up; each has as many errors as is said. */
int nvmlDeviceGetNvLinkState(void *gpu, unsigned link, unsigned *up) {
    long links = of(gpu, "NVLINKS", -1);
    *up = (long)link < links;
    return links < 0 ? NOT_SUPPORTED : link >= 18 ? INVALID_ARGUMENT : OK;
}
int nvmlDeviceGetNvLinkErrorCounter(void *gpu, unsigned link, unsigned kind, u64 *count) {
    static const char *names[] = {"LINK_REPLAYS", "LINK_RECOVERIES", "LINK_CRC", "LINK_CRC"};
    long found = kind < 4 ? of(gpu, names[kind], -1) : -1;
    (void)link;
    *count = (u64)found;
    return found < 0 ? NOT_SUPPORTED : OK;
}
int nvmlDeviceGetFieldValues(void *gpu, int count, field_t *fields) {
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "FIELD_%u", fields[i].field);
        long found = of(gpu, name, -1);
        fields[i].type = 1; /* unsigned int */
        fields[i].value = (unsigned)found;
        fields[i].result = found < 0 ? NOT_SUPPORTED : OK;
    }
    return OK;
}
