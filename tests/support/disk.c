/* A disk that can be full, die in the middle of a write, or forget what was not yet synced.

   Preloaded into a desk's process, it stands between SQLite and the files of one database: the
   file DISK_DATABASE names, and what lies beside it under names that begin with its own. The test
   and the process share the memory of the file DISK_CONTROL, laid out as `struct control`; with
   DISK_JOURNAL every write is preceded by a note of what it overwrites, so that a test can take
   back what no sync had made safe, as a power cut would. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct control {
    int64_t room;            /* bytes by which files may still grow; negative: no limit */
    int64_t fatal_write;     /* die in the middle of this write to the main file; 0: never */
    int64_t fatal_sync;      /* die instead of this sync of the WAL; 0: never */
    int64_t failing_syncs;   /* so many syncs fail with EIO from now on */
    int64_t database_writes; /* how often the main file was written to */
    int64_t wal_writes;
    int64_t wal_syncs;       /* how often a sync made something in the WAL safe */
    int64_t refusals;        /* how often there was no room */
    int64_t died;            /* 1 when one of the fatal ones was reached */
};

enum { WRITE = 1, SYNC = 2, TRUNCATE = 3, UNLINK = 4 };

struct note {
    int64_t kind, file, offset, size_before, kept; /* then `kept` bytes of what was there */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static char database[PATH_MAX];
static int journal = -1;
static int wal_is_unsafe;        /* something lies in the WAL that no sync has made safe */
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *path = getenv("DISK_DATABASE"), *shared = getenv("DISK_CONTROL");
    if (!path || !shared) return;
    snprintf(database, sizeof database, "%s", path);
    int fd = open(shared, O_RDWR | O_CLOEXEC);
    void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || at == MAP_FAILED) {
        perror("disk.c: DISK_CONTROL");
        abort();
    }
    close(fd);
    control = at;
    if (getenv("DISK_JOURNAL"))
        journal = open(getenv("DISK_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* 0: the main file, 1: its WAL, 2: the WAL's index, -1: none of ours. */
static int file_at(const char *path) {
    size_t known = strlen(database);
    if (strncmp(path, database, known)) return -1;
    if (!path[known]) return 0;
    if (!strcmp(path + known, "-wal")) return 1;
    return strcmp(path + known, "-shm") ? -1 : 2;
}

static int file_of(int fd) {
    char link[64], path[PATH_MAX];
    if (!control) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return file_at(path);
}

static int64_t size_of(int fd) {
    struct stat64 found;
    return fstat64(fd, &found) ? 0 : found.st_size;
}

/* Called with the lock held, before the change: a kill in between takes back nothing real. */
static void take_note(int64_t kind, int fd, int file, int64_t offset, int64_t length) {
    if (journal < 0 || file > 1) return;
    static char was[1 << 20];
    struct note note = {kind, file, offset, kind == UNLINK ? 0 : size_of(fd), 0};
    if (length > 0) {
        int64_t wanted = length < (int64_t)sizeof was ? length : (int64_t)sizeof was;
        ssize_t got = pread64(fd, was, wanted, offset);
        note.kept = got < 0 ? 0 : got;
    }
    if (write(journal, &note, sizeof note) != sizeof note || write(journal, was, note.kept) != note.kept)
        abort();
}

static void die(void) {
    control->died = 1;
    kill(getpid(), SIGKILL);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    int file = file_of(fd);
    if (file < 0) return real_pwrite(fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    int64_t growth = offset + (int64_t)length - size_of(fd);
    if (control->room >= 0 && growth > 0) {
        if (growth > control->room) {
            control->refusals++;
            pthread_mutex_unlock(&lock);
            errno = ENOSPC;
            return -1;
        }
        control->room -= growth;
    }
    take_note(WRITE, fd, file, offset, length);
    if (file == 1) {
        control->wal_writes++;
        wal_is_unsafe = 1;
    }
    if (file == 0 && ++control->database_writes == control->fatal_write) {
        real_pwrite(fd, bytes, length / 2, offset);
        die();
    }
    ssize_t written = real_pwrite(fd, bytes, length, offset);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

static int sync_with(int (*real)(int), int fd) {
    int file = file_of(fd);
    if (file < 0) return real(fd);
    pthread_mutex_lock(&lock);
    if (control->failing_syncs > 0) {
        control->failing_syncs--;
        pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    /* A checkpoint syncs the WAL once more though every commit has: dying there loses nothing. */
    if (file == 1 && wal_is_unsafe && ++control->wal_syncs == control->fatal_sync) die();
    int done = real(fd);
    if (!done) take_note(SYNC, fd, file, 0, 0);
    if (!done && file == 1) wal_is_unsafe = 0;
    pthread_mutex_unlock(&lock);
    return done;
}

int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

int fsync(int fd) { return sync_with(real_fsync, fd); }

int ftruncate64(int fd, off64_t length) {
    int file = file_of(fd);
    if (file < 0) return real_ftruncate(fd, length);
    pthread_mutex_lock(&lock);
    for (int64_t from = length, size = size_of(fd); from < size; from += 1 << 20)
        take_note(TRUNCATE, fd, file, from, size - from);
    int done = real_ftruncate(fd, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path) {
    int file = control ? file_at(path) : -1;
    if (file < 0) return real_unlink(path);
    pthread_mutex_lock(&lock);
    take_note(UNLINK, -1, file, 0, 0);
    int done = real_unlink(path);
    pthread_mutex_unlock(&lock);
    return done;
}
