/*
 * Reading /proc and comparing. See facts.h for the theory.
 */
#include "policy/facts.h"

#include "policy/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_MAX  8192
#define FILTERS_MAX 64

/* One page-sized read holds the whole file on every kernel; a longer one is cut, and what is missing is not
 * found. */
static bool read_status(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, out, size - 1);
    int error = errno;
    close(fd);
    errno = error;
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool has_filters(const char *status, unsigned filters)
{
    char line[40];
    snprintf(line, sizeof(line), "\nSeccomp_filters:\t%u\n", filters);
    return strstr(status, line) != NULL;
}

int facts_filters(void)
{
    char status[STATUS_MAX];
    if (!read_status("/proc/self/status", status, sizeof(status)))
        return -1;
    for (unsigned i = 0; i <= FILTERS_MAX; i++) {
        if (has_filters(status, i))
            return (int)i;
    }
    errno = ENOTSUP;
    return -1;
}

static bool has_ids(const char *status, const char *name, unsigned id)
{
    char line[80];
    snprintf(line, sizeof(line), "\n%s:\t%u\t%u\t%u\t%u\n", name, id, id, id, id);
    return strstr(status, line) != NULL;
}

const char *facts_status(pid_t pid, const struct facts *facts)
{
    static const char *const constant[][2] = {
        {"\nGroups:\t \n", "supplementary groups are not empty"},
        {"\nCapInh:\t0000000000000000\n", "inheritable capabilities are not empty"},
        {"\nCapPrm:\t0000000000000000\n", "permitted capabilities are not empty"},
        {"\nCapEff:\t0000000000000000\n", "effective capabilities are not empty"},
        {"\nCapBnd:\t0000000000000000\n", "the capability bounding set is not empty"},
        {"\nCapAmb:\t0000000000000000\n", "ambient capabilities are not empty"},
        {"\nNoNewPrivs:\t1\n", "no_new_privs is not set"},
        {"\nSeccomp:\t2\n", "no system call filter is loaded"},
    };
    char path[40], status[STATUS_MAX];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (!read_status(path, status, sizeof(status)))
        return "/proc/PID/status can't be read: is /proc mounted with hidepid=ptraceable?";
    if (!has_ids(status, "Uid", facts->uid))
        return "the user is not the worker's";
    if (!has_ids(status, "Gid", facts->gid))
        return "the group is not the worker's";
    for (size_t i = 0; i < sizeof(constant) / sizeof(constant[0]); i++) {
        if (strstr(status, constant[i][0]) == NULL)
            return constant[i][1];
    }
    return has_filters(status, facts->filters) ? NULL : "the number of system call filters is wrong";
}

static const char *namespaces_differ(pid_t pid, bool own_network)
{
    static const char *const kinds[][2] = {
        {"pid", "the PID namespace is ours"},   {"net", "the network namespace is ours"},
        {"mnt", "the mount namespace is ours"}, {"ipc", "the IPC namespace is ours"},
        {"uts", "the UTS namespace is ours"},   {"cgroup", "the cgroup namespace is ours"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char path[40];
        struct stat mine, theirs;
        snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i][0]);
        if (stat(path, &mine) != 0)
            return "/proc/self/ns can't be read";
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i][0]);
        if (stat(path, &theirs) != 0)
            return "/proc/PID/ns can't be read";
        bool same = mine.st_ino == theirs.st_ino && mine.st_dev == theirs.st_dev;
        if (own_network || strcmp(kinds[i][0], "net") != 0 ? same : !same)
            return same ? kinds[i][1] : "the network namespace is not ours";
    }
    return NULL;
}

/* Does the entry of /proc/PID/fd name one of the descriptors in `expected`, a bit for each, of its kind? */
static bool descriptor_expected(int directory, const char *name, unsigned expected, unsigned *seen)
{
    static const char *const kinds[] = {[CHANNEL_FD] = "socket:[",
                                        [LOG_FD] = "socket:[",
                                        [EPOLL_FD] = "anon_inode:[eventpoll]",
                                        [LINE_FD] = "socket:["};
    char target[64] = "";
    unsigned fd = (unsigned)(name[0] - '0');
#ifdef METAWARD_SANITIZED
    if (strcmp(name, REPORT_FD_NAME) == 0)
        return true;
#endif
    if (name[1] != '\0' || fd >= sizeof(kinds) / sizeof(kinds[0]) || (expected & 1U << fd) == 0)
        return false;
    if (readlinkat(directory, name, target, sizeof(target) - 1) < 0)
        return false;
    *seen |= 1U << fd;
    return strncmp(target, kinds[fd], strlen(kinds[fd])) == 0;
}

static const char *descriptors_exact(pid_t pid, unsigned expected)
{
    char path[40], entries[2048];
    unsigned seen = 0;
    ssize_t length;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return "/proc/PID/fd can't be read";
    const char *wrong = NULL;
    while (wrong == NULL && (length = getdents64(directory, entries, sizeof(entries))) > 0) {
        for (ssize_t at = 0; wrong == NULL && at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            if (entry->d_name[0] != '.' && !descriptor_expected(directory, entry->d_name, expected, &seen))
                wrong = "it holds a descriptor that it should not";
            at += entry->d_reclen;
        }
    }
    close(directory);
    if (wrong == NULL && seen != expected)
        wrong = "it lacks one of its descriptors";
    return wrong;
}

const char *facts_surroundings(pid_t pid, enum facts_kind kind)
{
    static const unsigned descriptors[] = {[FACTS_WORKER] = 1U << CHANNEL_FD | 1U << LOG_FD | 1U << EPOLL_FD,
                                           [FACTS_WORKER_DIALED] = 1U << CHANNEL_FD | 1U << LOG_FD |
                                                                   1U << EPOLL_FD | 1U << LINE_FD,
                                           [FACTS_DIALER] = 1U << CHANNEL_FD};
    const char *wrong = namespaces_differ(pid, kind != FACTS_DIALER);
    return wrong != NULL ? wrong : descriptors_exact(pid, descriptors[kind]);
}
